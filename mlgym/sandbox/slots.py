"""Numbered slots of running sandboxes: who owns each, and which user it may be inside.

A slot is a file, locked by its owner for as long as the sandbox lives; the lock falls when the
owner dies, whatever the cause. The file tells what to end then.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import tempfile
from pathlib import Path

from mlgym.errors import SandboxError

FIRST_UID = 100_000
MOST = 50_000


def folder() -> Path:
    """The slots of this user, `/tmp/mlgym-<uid>`: shared by all its processes on this host."""
    path = Path(tempfile.gettempdir()) / f"mlgym-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.getuid() or not path.is_dir() or path.is_symlink():
        raise SandboxError(f"{path} belongs to somebody else; remove it or set TMPDIR")
    return path


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot: with its pid this names it for ever."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


class Slot:
    """One held slot. `number` is unique among this user's running sandboxes."""

    def __init__(self, number: int, fd: int) -> None:
        self.number = number
        self._fd = fd

    @property
    def uid(self) -> int:
        return FIRST_UID + self.number

    def record(self, label: str, pids: list[int]) -> None:
        """Write down which processes belong to it."""
        started = {str(pid): start_time(pid) for pid in pids}
        text = json.dumps({"owner": os.getpid(), "label": label, "pids": started})
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def release(self) -> None:
        """Give it back. Idempotent."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _lock(path: Path) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def acquire() -> Slot:
    """The lowest free slot, cleared of what a dead owner left in it."""
    where = folder()
    for number in range(MOST):
        fd = _lock(where / f"slot-{number}")
        if fd is not None:
            _end(fd)
            return Slot(number, fd)
    raise SandboxError(f"{MOST} sandboxes run at once")


def reap() -> list[str]:
    """End what dead owners left running; a line for each."""
    ended: list[str] = []
    for path in sorted(folder().glob("slot-*")):
        fd = _lock(path)
        if fd is not None:
            ended += _end(fd)
            os.close(fd)
    return ended


def _end(fd: int) -> list[str]:
    text = os.pread(fd, 1 << 16, 0)
    os.ftruncate(fd, 0)
    if not text:
        return []
    try:
        record = json.loads(text)
    except ValueError:
        return []
    ended: list[str] = []
    for pid, started in record["pids"].items():
        if started is not None and start_time(int(pid)) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
                ended.append(f"sandbox {record['label']}: process {pid} of dead {record['owner']}")
    return ended
