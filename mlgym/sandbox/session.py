"""The host's end of a guest: requests out, answers in, channels in between.

One session speaks with one guest over one `Transport`, from one thread at a time. What comes back
is untrusted: it is bounded, checked for its form, and can end in nothing worse than `SandboxError`.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlgym.errors import SandboxError
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.channel import GuestChannel
from mlgym.sandbox.guest.frames import FrameParser, Header, pack
from mlgym.types import ExecResult

GUEST_FOLDER = Path(__file__).parent / "guest"
GUEST_INSIDE = "/run/mlgym/guest"
GUEST_COMMAND = (
    "-I",
    "-S",
    "-c",
    "import sys; sys.path.insert(0, '/run/mlgym'); from guest.server import main; main()",
)
"""Arguments for `python3` to start the guest, its folder being at `GUEST_INSIDE`."""
WRITABLE = ("/workspace", "/tmp", "/home/agent", "/dev/shm")
"""The folders an agent can write to: wiped at every reset."""
WORKSPACE = "/workspace"
PATH = "/opt/env/bin:/opt/mlgym/bin:/usr/local/bin:/usr/bin:/bin"
MAX_BODY = 64 << 20
_PIECE = 1 << 16
GRACE_S = 15.0
"""How much longer than its own limit a guest may take to answer before it counts as lost."""


class Transport(Protocol):
    """A two-way pipe of bytes to a guest."""

    def fileno(self) -> int:
        """A descriptor that polls readable when the guest has said something."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError where the guest is gone."""
        ...

    def recv(self, max_bytes: int) -> bytes:
        """What the guest said, `b""` at its end. Raises OSError."""
        ...

    def close(self) -> None: ...

    def describe_failure(self) -> str:
        """Why the guest is gone, as far as can be told: exit status, last words."""
        ...


@dataclass(frozen=True, slots=True)
class AgentUser:
    """Whom the guest lets the agent's processes be, and their resource limits."""

    uid: int
    gid: int
    rlimits: Mapping[str, int]


def agent_environment(cpus: float | None) -> dict[str, str]:
    """The whole environment of the agent's processes: nothing of the host's."""
    threads = str(max(1, round(cpus or os.cpu_count() or 1)))
    return {
        "PATH": PATH,
        "HOME": "/home/agent",
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }


class GuestSession:
    """Requests to one guest. Every method raises `SandboxError` where the guest is lost."""

    def __init__(self, transport: Transport, spec: SandboxSpec, user: AgentUser) -> None:
        self._transport = transport
        self._spec = spec
        self._user = user
        self._poller = select.poll()
        self._poller.register(transport.fileno(), select.POLLIN)
        self._parser = FrameParser(MAX_BODY)
        self._replies: list[tuple[Header, bytes]] = []
        self._channels: dict[int, GuestChannel] = {}
        self._next_channel = 1
        self._number = 0
        self.lost: str | None = None

    def setup(self) -> None:
        """Tell the guest who the agent is and what to lay; it answers once the shell is up."""
        entries, body = pack_folder(self._spec.workspace)
        keep: dict[str, list[str]] = {}
        for _, inside in self._spec.mounts:
            for folder in WRITABLE:
                if inside.startswith(folder + "/"):
                    keep.setdefault(folder, []).append(inside[len(folder) + 1 :].split("/")[0])
        user = self._user
        limits = self._spec.limits
        header: Header = {
            "op": "setup",
            "who": {
                "uid": user.uid,
                "gid": user.gid,
                "environment": agent_environment(limits.cpus),
                "rlimits": dict(user.rlimits),
            },
            "entries": entries,
            "wipe": WRITABLE,
            "keep": keep,
            "output_bytes": limits.output_bytes,
            "flood_bytes": limits.flood_bytes,
        }
        self._request(header, body, 30.0)

    def run(self, command: str, timeout: float) -> ExecResult:
        header: Header = {"op": "run", "timeout": timeout}
        text = command.encode("utf-8", "surrogatepass")
        reply, body = self._request(header, text, timeout + GRACE_S)
        try:
            notes = "".join(f"[{note}]\n" for note in reply["notes"])
            output = body.decode("utf-8", "replace")
            if notes and output and not output.endswith("\n"):
                output += "\n"
            return ExecResult(
                output + notes,
                int(reply["exit"]),
                bool(reply["timed_out"]),
                bool(reply["truncated"]),
                bool(reply["restarted"]),
                float(reply["seconds"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._fail(f"its answer makes no sense ({error!r})") from error

    def open(self, argv: Sequence[str]) -> GuestChannel:
        number = self._next_channel
        self._next_channel += 1
        channel = GuestChannel(self, number)
        self._channels[number] = channel
        self._request({"op": "open", "channel": number, "argv": list(argv)}, b"", GRACE_S)
        return channel

    def read(self, path: str, max_bytes: int) -> bytes:
        return b"".join(self._stream({"op": "read", "path": path, "max": max_bytes}, max_bytes))

    def write(self, path: str, data: bytes) -> None:
        self._request({"op": "write", "path": path}, data, 4 * GRACE_S)

    def export(self, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        # A tar adds a header and padding to each file; a guest that sends much more is lying.
        bound = 2 * max_bytes + (64 << 20)
        yield from self._stream({"op": "export", "paths": list(paths), "max": max_bytes}, bound)

    def reset(self) -> None:
        self._channels.clear()
        self._request({"op": "reset"}, b"", 4 * GRACE_S)

    def close(self) -> None:
        self.lost = self.lost or "it was closed"
        self._transport.close()

    # Frames ----------------------------------------------------------------------------------

    def send(self, header: Header, body: bytes = b"") -> None:
        """Send one frame without waiting for an answer."""
        if self.lost is not None:
            raise SandboxError(f"the sandbox is lost: {self.lost}")
        try:
            self._transport.send(pack(header, body))
        except OSError as error:
            raise self._fail(str(error)) from error

    def pump(self, deadline: float) -> bool:
        """Take in what the guest says; False where it said nothing until `deadline`.

        `deadline` is on the monotonic clock, in seconds.
        """
        if self.lost is not None:
            raise SandboxError(f"the sandbox is lost: {self.lost}")
        wait = max(0.0, deadline - time.monotonic())
        if not self._poller.poll(wait * 1000):
            return False
        try:
            data = self._transport.recv(_PIECE)
        except OSError as error:
            raise self._fail(str(error)) from error
        if not data:
            raise self._fail("it ended")
        self._parser.feed(data)
        try:
            for header, body in self._parser.frames():
                self._take(header, body)
        except (ValueError, KeyError, TypeError) as error:
            raise self._fail(f"it sent what is no frame ({error})") from error
        return True

    def _take(self, header: Header, body: bytes) -> None:
        if "channel" not in header:
            if header.get("id") == self._number:
                self._replies.append((header, body))
            return
        channel = self._channels.get(header["channel"])
        if channel is not None:
            channel.take(header, body)

    def _request(self, header: Header, body: bytes, timeout: float) -> tuple[Header, bytes]:
        # An answer to an earlier request may still come, if waiting for it was interrupted.
        self._number += 1
        self._replies.clear()
        self.send({**header, "id": self._number}, body)
        return self._reply(header, time.monotonic() + timeout)

    def _reply(self, header: Header, deadline: float) -> tuple[Header, bytes]:
        while not self._replies:
            if not self.pump(deadline):
                raise self._fail(f"no answer to {header['op']!r} in time")
        reply, body = self._replies.pop(0)
        if reply.get("ok") is False:
            path = reply.get("path") or header.get("path")
            number, words = int(reply.get("errno", 5)), str(reply.get("message"))
            if header["op"] in ("setup", "reset", "run"):
                raise self._fail(f"{header['op']} failed inside: {words} ({path})")
            # OSError makes the fitting subclass out of the number (FileNotFoundError, ...).
            raise OSError(number, words, path)
        return reply, body

    def _stream(self, header: Header, bound: int) -> Iterator[bytes]:
        reply, body = self._request(header, b"", 4 * GRACE_S)
        while reply.get("more"):
            bound -= len(body)
            if bound < 0:
                raise self._fail("it sent more than was asked for")
            yield body
            reply, body = self._reply(header, time.monotonic() + GRACE_S)

    def _fail(self, reason: str) -> SandboxError:
        if self.lost is None:
            detail = self._transport.describe_failure()
            self.lost = f"{reason}; {detail}" if detail else reason
            self._transport.close()
        return SandboxError(f"the sandbox is lost: {self.lost}")


def pack_folder(folder: Path) -> tuple[list[dict[str, Any]], bytes]:
    """The entries of a host folder in a fixed order, and the files' contents one after another.

    Raises SandboxError for anything that is neither file, folder nor symbolic link.
    """
    entries: list[dict[str, Any]] = []
    contents: list[bytes] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            entries.append({"path": name, "link": str(path.readlink())})
        elif stat.S_ISDIR(mode):
            entries.append({"path": name})
        elif stat.S_ISREG(mode):
            data = path.read_bytes()
            access = 0o755 if mode & 0o100 else 0o644
            entries.append({"path": name, "size": len(data), "mode": access})
            contents.append(data)
        else:
            raise SandboxError(f"{path}: neither file, folder nor symbolic link")
    return entries, b"".join(contents)
