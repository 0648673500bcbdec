"""What is docker's own in the measurements: a container made by hand, and the graders' processes.

The SDK is untyped here, as in `mlgym.sandbox.docker_client`.
"""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any, Self

from mlgym.bench.setting import ECHO
from mlgym.errors import SandboxError
from mlgym.sandbox.docker_client import OWNER, connect, docker_errors, owner_label, visible_pids

_BASH = ["bash", "--norc", "--noprofile"]
_ANSWER_S = 60.0


class CopiedContainer:
    """A container as one of ours, made anew each time by the bare SDK, its first process a bash.

    A context manager; one of this process's sandboxes must run when it is entered: its options are
    those that the daemon tells.
    """

    def __init__(self) -> None:
        self._client: Any = None
        self._config: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._client = connect()
        with docker_errors("our containers cannot be looked at"):
            ours = _own(self._client)
            if not ours:
                raise SandboxError("no container of ours runs: there are no options to copy")
            attrs = ours[0].attrs
        # What the daemon tells of a container is what it takes to make one. That it removes itself
        # when its bash ends would only get into the way of our removing it.
        host = {**attrs["HostConfig"], "AutoRemove": False}
        self._config = {**attrs["Config"], "Cmd": _BASH, "HostConfig": host}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def time_answer(self) -> float:
        """Seconds from its creation to its first answer; its removal is not counted.

        Raises SandboxError where it does not answer.
        """
        api = self._client.api
        with docker_errors("a container cannot be made by hand"):
            began = time.perf_counter()
            made = api.create_container_from_config(self._config)["Id"]
            try:
                attached = api.attach_socket(made, {"stdin": 1, "stdout": 1, "stream": 1})
                with contextlib.closing(attached):
                    api.start(made)
                    socket: Any = getattr(attached, "_sock", attached)
                    socket.settimeout(_ANSWER_S)
                    socket.sendall(f"{ECHO}\n".encode())
                    said = b""
                    while not said.endswith(b"hi\n"):
                        data = socket.recv(4096)
                        if not data:
                            raise SandboxError(f"a container made by hand said {said!r:.200}")
                        said += data
                    return time.perf_counter() - began
            finally:
                api.remove_container(made, force=True)


def own_pids() -> list[int]:
    """The processes of all containers of this process's, empty where they cannot be seen."""
    with contextlib.closing(connect()) as client, docker_errors("our containers cannot be seen"):
        return [pid for container in _own(client) for pid in visible_pids(container)]


def _own(client: Any) -> list[Any]:
    owner = owner_label("")[OWNER]
    return client.containers.list(filters={"label": f"{OWNER}={owner}"}, ignore_removed=True)
