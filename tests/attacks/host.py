"""The attacked host, seen from outside: processes, temporary files, a service that listens."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlgym.sandbox import slots
from mlgym.sandbox.base import Sandbox

STOPPED = "TtZX"
_SETTLE_S = 2.0


def guest_of(sandbox: Sandbox) -> int:
    """The host's number of a sandbox's PID 1."""
    launcher: Any = sandbox._launcher  # type: ignore[attr-defined]
    if hasattr(launcher, "_guest_pid"):
        return launcher._guest_pid
    launcher._container.reload()
    return launcher._container.attrs["State"]["Pid"]


def family(ancestor: int) -> dict[int, str]:
    """All that descends from a process, itself left out: pid -> state, as in /proc/<pid>/stat."""
    found: dict[int, str] = {}
    todo = [Path(f"/proc/{ancestor}")]
    while todo:
        parent = todo.pop()
        try:
            words = [(task / "children").read_text() for task in (parent / "task").iterdir()]
            below = [Path("/proc") / word for word in " ".join(words).split()]
            if parent.name != str(ancestor):
                stat = (parent / "stat").read_text(errors="replace")
                found[int(parent.name)] = stat.rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue  # it ended while we looked
        todo += below
    return found


def strays(sandbox: Sandbox) -> list[int]:
    """Processes of a sandbox's own user on the host itself.

    Only bubblewrap as root gives it a user of its own. Sandboxes of another temporary folder's may
    have the same; theirs are in a process namespace as well.
    """
    slot = getattr(sandbox._launcher, "_slot", None)  # type: ignore[attr-defined]
    if slot is None or os.getuid() != 0:
        return []
    ours = Path("/proc/self/ns/pid").readlink()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or entry.stat().st_uid != slot.uid:
                continue
            if (entry / "ns" / "pid").readlink() == ours:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def moving(guest: int, rest_s: float) -> dict[int, str]:
    """What of a guest's family does not come to rest soon, and stay so for `rest_s` seconds.

    At rest are a shell that waits, and whatever is stopped.
    """
    last = time.monotonic() + _SETTLE_S
    at_rest_since = None
    while True:
        states = family(guest)
        now = time.monotonic()
        awake = {pid: state for pid, state in states.items() if state not in STOPPED}
        if list(awake.values()) not in ([], ["S"]):
            if at_rest_since is not None or now > last:
                return awake
        else:
            at_rest_since = at_rest_since or now
            if now - at_rest_since >= rest_s:
                return {}
        time.sleep(0.02)


def fingerprint(folders: list[Path]) -> str:
    """Names and contents of all files below some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            digest.update(f"{path} {path.lstat().st_mode}\n".encode())
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def temporary_files(folder: Path, patch: pytest.MonkeyPatch) -> Generator[Path]:
    """A temporary folder of one's own, in which everything new is seen.

    The slots of sandboxes stay where they are: they are shared with every process of the host.
    """
    held = slots.folder()
    own = folder / "tmp"
    own.mkdir()
    patch.setattr(slots, "folder", lambda: held)
    patch.setattr(tempfile, "tempdir", str(own))
    yield own


@contextmanager
def service(name: str) -> Generator[int]:
    """Something of the host's to connect to: a TCP port, which is given, and an abstract name."""
    tcp = socket.create_server(("127.0.0.1", 0), backlog=50)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.bind(f"\0{name}")
    local.listen(50)
    with tcp, local:
        yield tcp.getsockname()[1]
