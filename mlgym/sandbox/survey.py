"""What an idle sandbox is like: a line for each file that an agent can have touched, and how its
processes stand.

Run on the host, through the root that `/proc` shows of a process inside, or as a program of its own
inside: so it needs nothing but Python's library.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator

FOLDERS = ("workspace", "tmp", "home/agent", "dev/shm")
"""All that an agent can write to, below the root."""
_QUEUES = "dev/mqueue"
_DEEPEST = 64
_PIECE = 1 << 20
_STATUS = ("Umask", "Groups", "Threads", "SigBlk", "SigIgn", "Cap", "NoNewPrivs", "Seccomp")
_NICE = 16
# Reading must not be seen: the times of what is laid are fixed, the last access among them.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME | os.O_NONBLOCK | os.O_CLOEXEC


class TooMuchError(Exception):
    """There is more than there may be: it need not be looked at further."""


def survey(root: str, pid: str, processes: int, most: int, most_bytes: int) -> dict[str, object]:
    """`lines` that say what is there, and on how many `cores` the process `pid` may run.

    At most so many files of so many bytes in all are looked at; where there are more, a line says
    so. Raises OSError.
    """
    lines = [f"processes: {processes}", *standing(pid)]
    try:
        room = [most, most_bytes]
        for folder in FOLDERS:
            lines += _folder(root, folder, room)
        lines += [f"queue: {name}" for name in _names(f"{root}/{_QUEUES}")]
    except TooMuchError as reason:
        lines.append(str(reason))
    cores = len(os.sched_getaffinity(0 if pid == "self" else int(pid)))
    return {"cores": cores, "lines": lines}


def standing(pid: str) -> Iterator[str]:
    """What a process was given: its limits, rights, signals and nice value."""
    for line in _text(f"/proc/{pid}/status").splitlines():
        if line.startswith(_STATUS):
            yield " ".join(line.split())
    for line in _text(f"/proc/{pid}/limits").splitlines()[1:]:
        yield f"limit: {' '.join(line.split())}"
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    yield f"nice: {fields[_NICE]}"


def _text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - pathlib takes milliseconds, inside
        return file.read()


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - as above
    except FileNotFoundError:
        return []


def _folder(root: str, folder: str, room: list[int]) -> Iterator[str]:
    fd = os.open(f"{root}/{folder}", _FLAGS | os.O_DIRECTORY)
    try:
        found = os.fstat(fd)
        # What is laid anew can have none, these folders stay.
        more = sorted(os.listxattr(fd))
        yield f"{_said(found)} /{folder} {more}"
        yield from _below(fd, f"/{folder}", found.st_dev, room, 1)
    finally:
        os.close(fd)


def _below(fd: int, folder: str, device: int, room: list[int], depth: int) -> Iterator[str]:
    with os.scandir(fd) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        room[0] -= 1
        if room[0] < 0 or depth > _DEEPEST:
            raise TooMuchError(f"more than was laid: {folder}/{name}"[:500])
        found, path = os.lstat(name, dir_fd=fd), f"{folder}/{name}"
        if found.st_dev != device:
            yield f"mount {path}"
        elif stat.S_ISDIR(found.st_mode):
            inner = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=fd)
            try:
                yield f"{_said(found)} {path}"
                yield from _below(inner, path, device, room, depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(found.st_mode):
            room[1] -= found.st_size
            if room[1] < 0:
                raise TooMuchError(f"more bytes than were laid: {path}"[:500])
            yield f"{_said(found)} {found.st_size} {_digest(name, fd)} {path}"
        else:
            target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(found.st_mode) else ""
            yield f"{_said(found)} {path} {target}"


def _said(found: os.stat_result) -> str:
    return f"{stat.filemode(found.st_mode)} {found.st_mtime_ns}"


def _digest(name: str, dir_fd: int) -> str:
    content = hashlib.sha256()
    fd = os.open(name, _FLAGS, dir_fd=dir_fd)
    try:
        while piece := os.read(fd, _PIECE):
            content.update(piece)
    finally:
        os.close(fd)
    return content.hexdigest()[:32]


def main() -> None:
    """Inside: how much may be looked at comes as two arguments, what was found goes to stdout."""
    processes = sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208 - as above
    most, most_bytes = map(int, sys.argv[1:])
    print(json.dumps(survey("", "self", processes, most, most_bytes)))


if __name__ == "__main__":
    main()
