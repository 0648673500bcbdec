"""All that an agent can have written, as a tar stream: saved from and laid into its folders.

Both run in a child of the guest that has become the agent's user, with its rights only. Sockets are
left out, and so is what no path can name any more (a tree deeper than the kernel's longest path).
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence

from .light import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO


_PIECE = 1 << 18
_MTIME = "MLGYM.mtime_ns"
"""tar's own times are fractions as decimal texts, which lose nanoseconds on their way."""


def save(folders: Sequence[str], keep: Mapping[str, Sequence[str]]) -> None:
    """Write what is below `folders` to stdout; names in `keep` (by folder) are mount points."""
    names: dict[tuple[int, int], str] = {}
    closed: list[tuple[str, os.stat_result]] = []
    try:
        with (
            os.fdopen(1, "wb", closefd=False, buffering=_PIECE) as out,
            tarfile.open(fileobj=out, mode="w|", bufsize=_PIECE) as tar,
        ):
            for folder in folders:
                for path, found in _below(folder, keep.get(folder, ()), closed):
                    _add(tar, path, found, names)
    finally:
        for path, found in reversed(closed):
            _close(path, found)


def _below(
    folder: str, skip: Sequence[str], closed: list[tuple[str, os.stat_result]]
) -> Iterator[tuple[str, os.stat_result]]:
    """Every path below a folder, each after the folder that it lies in, in a fixed order.

    Folders that their owner has closed to itself are opened, and noted in `closed`.
    """
    hidden = {os.path.join(folder, name) for name in skip}
    todo = [folder]
    while todo:
        path = todo.pop()
        try:
            found = os.lstat(path)
        except OSError:
            continue  # longer than any path that the kernel takes
        yield path, found
        if not stat.S_ISDIR(found.st_mode):
            continue
        if found.st_mode & 0o500 != 0o500:
            os.chmod(path, 0o700)
            closed.append((path, found))
        below = (os.path.join(path, name) for name in sorted(os.listdir(path), reverse=True))
        todo += [inner for inner in below if inner not in hidden]


def _add(
    tar: tarfile.TarFile, path: str, found: os.stat_result, names: dict[tuple[int, int], str]
) -> None:
    info = tarfile.TarInfo(path[1:])
    info.mode = stat.S_IMODE(found.st_mode)
    info.pax_headers = {_MTIME: str(found.st_mtime_ns)}
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFREG:
        first = names.setdefault((found.st_dev, found.st_ino), info.name)
        if first == info.name:
            _add_content(tar, info, path, found)
            return
        info.type, info.linkname = tarfile.LNKTYPE, first
    elif kind == stat.S_IFDIR:
        info.type = tarfile.DIRTYPE
    elif kind == stat.S_IFLNK:
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif kind == stat.S_IFIFO:
        info.type = tarfile.FIFOTYPE
    else:
        return
    tar.addfile(info)


def _add_content(
    tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, found: os.stat_result
) -> None:
    closed = not found.st_mode & 0o400
    if closed:
        os.chmod(path, 0o600)
    with open(path, "rb") as file:
        info.size = found.st_size
        tar.addfile(info, file)
    if closed:
        _close(path, found)


def _close(path: str, found: os.stat_result) -> None:
    """Give a path the mode and the times back that it had."""
    os.chmod(path, stat.S_IMODE(found.st_mode))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def load() -> None:
    """Lay the tar on stdin into the folders that its names begin with."""
    with (
        os.fdopen(0, "rb", closefd=False, buffering=_PIECE) as source,
        tarfile.open(fileobj=source, mode="r|", bufsize=_PIECE) as tar,
    ):
        folders: list[tarfile.TarInfo] = []
        for member in tar:
            if member.isdir():
                # The outermost ones are there: they are what was wiped.
                with contextlib.suppress(FileExistsError):
                    os.mkdir("/" + member.name, 0o700)
                folders.append(member)
                continue
            _lay(tar, member, "/" + member.name)
        # From the last to the first: what is laid into a folder changes its time.
        for member in reversed(folders):
            os.chmod("/" + member.name, member.mode)
            _set_time(member)


def _lay(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.islnk():
        os.link("/" + member.linkname, path, follow_symlinks=False)
        return
    if member.issym():
        os.symlink(member.linkname, path)
    elif member.isfifo():
        os.mkfifo(path, member.mode)
    else:
        _write(path, tar.extractfile(member), member.mode)
    _set_time(member)


def _set_time(member: tarfile.TarInfo) -> None:
    when = int(member.pax_headers[_MTIME])
    os.utime("/" + member.name, ns=(when, when), follow_symlinks=False)


def _write(path: str, content: IO[bytes] | None, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        while content is not None and (piece := content.read(_PIECE)):
            file.write(piece)
        os.fchmod(fd, mode)
