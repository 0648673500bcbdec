"""Speaking with a Docker daemon: finding it, its errors as ours, labels, GPUs, volumes.

The SDK is imported late, and is untyped here: its stubs do not cover what is used.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tarfile
import tempfile
from collections.abc import Generator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mlgym.errors import SandboxError
from mlgym.sandbox.pids import descendants
from mlgym.sandbox.slots import start_time

OWNER = "mlgym.owner"
LABEL = "mlgym.label"
HOST = "mlgym.host"
_ANSWER_S = 120


def connect() -> Any:
    """A client of the daemon that `DOCKER_HOST` names, or of the local one.

    Raises SandboxError with what to do where none answers.
    """
    docker = import_module("docker")
    try:
        with contextlib.ExitStack() as undo:
            client = docker.from_env(timeout=_ANSWER_S)
            undo.callback(client.close)
            client.ping()
            undo.pop_all()
    except (docker.errors.DockerException, OSError) as error:
        where = os.environ.get("DOCKER_HOST", "its default socket")
        words = str(error)
        if "Permission denied" in words or "PermissionError" in words:
            raise SandboxError(
                f"this user may not use the Docker daemon at {where}:"
                " `sudo usermod -aG docker $USER` and a new login give it the right"
            ) from error
        raise SandboxError(
            f"no Docker daemon answers at {where}: start one with `sudo systemctl start docker`,"
            " or use --sandbox bubblewrap"
        ) from error
    return client


@contextlib.contextmanager
def docker_errors(what: str) -> Generator[None, None, None]:
    """The daemon's errors inside become `SandboxError`s that begin with `what`."""
    docker = import_module("docker")
    requests = import_module("requests")
    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise SandboxError(f"{what}: {error}") from error


def is_local(client: Any) -> bool:
    """Whether the daemon is reached by a socket of this machine, so that it sees our files.

    The SDK's addresses for a socket, for a pipe of Windows and for ssh differ in the host alone.
    """
    return client.api.base_url in ("http+docker://localhost", "http+docker://localnpipe")


def owner_label(label: str) -> dict[str, str]:
    """Labels that say who owns a thing: host, process, and when that process started."""
    pid = os.getpid()
    return {OWNER: f"{pid}:{start_time(pid)}", HOST: this_host(), LABEL: label}


def this_host() -> str:
    """Names where a pid means something: containers may share a host's name, but not its pids."""
    name = socket.gethostname()
    with contextlib.suppress(OSError):
        return f"{name} {Path('/proc/self/ns/pid').readlink()}"
    return name


def owner_is_dead(labels: Mapping[str, str]) -> bool:
    """Whether the owner named by the labels was a process of this host's and is gone."""
    pid, _, started = labels.get(OWNER, "").partition(":")
    if labels.get(HOST) != this_host() or not pid.isdigit():
        return False
    now = start_time(int(pid))
    if now is not None:
        return now != started
    # Gone, or hidden from us: /proc may keep other users' processes to themselves, or be missing.
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


def visible_pids(container: Any) -> list[int]:
    """A running container's processes as pids of this host; empty where they cannot be seen.

    The daemon tells the pid of the first one as it sees it itself. Whether the same number means
    the same process here, its arguments say.
    """
    container.reload()
    attrs = container.attrs
    pid, arguments = attrs["State"]["Pid"], [attrs["Path"], *attrs["Args"]]
    try:
        found = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []
    return descendants(pid) if found == [os.fsencode(each) for each in arguments] else []


def gpu_request(count: int, ids: tuple[str, ...]) -> Any:
    """What `docker run --gpus` asks the daemon for: these, or so many of any."""
    which: dict[str, Any] = {"device_ids": list(ids)} if ids else {"count": count}
    types = import_module("docker.types")
    return types.DeviceRequest(capabilities=[["gpu"]], **which)


def fill_volume(client: Any, image: str, volume: Any, folder: Path) -> None:
    """Copy a host folder into a volume, through a container that is never started."""
    helper = client.containers.create(
        image,
        ["true"],
        network_mode="none",
        labels=owner_label("volume"),
        volumes={volume.name: {"bind": "/volume", "mode": "rw"}},
    )
    try:
        # In a file, not in memory: a task's data may be large.
        with tempfile.TemporaryFile() as packed:
            with tarfile.open(fileobj=packed, mode="w") as tar:
                tar.add(folder, arcname=".")
            packed.seek(0)
            client.api.put_archive(helper.id, "/volume", packed)
    finally:
        helper.remove(force=True)
