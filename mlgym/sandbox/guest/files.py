"""Files inside the sandbox: reading, writing, exporting, wiping, laying.

Whatever the agent may have put in the way (pipes, devices, links, huge or endlessly deep trees) is
met with a plain OSError. Callers hold the agent's rights while they read, write or export.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from .frames import CHUNK
from .light import TYPE_CHECKING, suppress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

FIXED_MTIME = 1_700_000_000
"""Modification time, in Unix seconds, of everything that is laid: observations repeat exactly."""
_FIXED_NS = (FIXED_MTIME * 10**9, FIXED_MTIME * 10**9)


MOST_LINKS = 40  # as many as the kernel follows
ARCHIVE_ROOM = 64 << 20
"""What a tar may take beyond its members' content, in bytes."""


def problem(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def read_file(path: str, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes`."""
    refuse_proc(path)
    with _open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise problem(errno.EFBIG, path)
    return data


def _open_regular(path: str, flags: int = 0, dir_fd: int | None = None):
    # O_NONBLOCK: opening a pipe or a device must not hang; O_NOCTTY: nor take a terminal.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | flags, dir_fd=dir_fd)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise problem(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, path)
    return os.fdopen(fd, "rb")


def refuse_proc(path: str) -> None:
    """Raises OSError for what lies in /proc, also through links: there `self` is the guest."""
    proc = os.stat("/proc").st_dev
    here = path
    for _ in range(MOST_LINKS):
        parent = os.path.dirname(here) or "."
        with suppress(FileNotFoundError):
            if os.stat(parent).st_dev == proc:
                raise problem(errno.EACCES, path)
        try:
            here = os.path.join(parent, os.readlink(here))
        except OSError:
            return
    raise problem(errno.ELOOP, path)


def write_file(path: str, data: bytes) -> None:
    """Write a regular file; missing folders are made, an existing file keeps its mode."""
    _make_folders(os.path.dirname(path))
    refuse_proc(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(path, flags, 0o644)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise problem(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, path)
        os.ftruncate(fd, 0)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def _make_folders(path: str) -> None:
    """As `os.makedirs`, which would call itself once for each folder of a path."""
    missing: list[str] = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)


def export(root: str, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
    """The regular files at `paths` below `root` as a tar stream, in pieces of about `CHUNK`.

    A path that ends in "/" is a folder, taken whole. Folders are opened one by one without
    following links, so that no link leads out of `root`.
    """
    left = max_bytes
    # What the tar itself takes for its members is bounded too: it is the host that must hold it.
    room = max_bytes + ARCHIVE_ROOM
    for path in paths:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or path.startswith("/"):
            raise problem(errno.EINVAL, path)
        is_folder = path.endswith("/") or not parts
        for name in _walk(root, parts) if is_folder else ["/".join(parts)]:
            size, taken = yield from _tar_member(root, name, left)
            left -= size
            room -= taken
            if room < 0:
                raise problem(errno.EFBIG, name)
    yield b"\0" * 1024


def _folder(root: str, parts: Sequence[str]) -> int:
    """A descriptor of a folder below `root`, no link followed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    fd = os.open(root, flags)
    for part in parts:
        try:
            below = os.open(part, flags, dir_fd=fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "/".join(parts)) from None
        finally:
            os.close(fd)
        fd = below
    return fd


def _walk(root: str, parts: Sequence[str]) -> Iterator[str]:
    fd = _folder(root, parts)
    try:
        with os.scandir(fd) as entries:
            listed = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    finally:
        os.close(fd)
    for name, is_folder in listed:
        below = [*parts, name]
        if len(below) > 64:
            raise problem(errno.ENAMETOOLONG, "/".join(below[:4]) + "/...")
        if is_folder:
            yield from _walk(root, below)
        else:
            yield "/".join(below)


def _open_below(root: str, name: str):
    *parents, last = name.split("/")
    fd = _folder(root, parents)
    try:
        return _open_regular(last, os.O_NOFOLLOW, fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    finally:
        os.close(fd)


def _tar_member(root: str, name: str, left: int) -> Generator[bytes, None, tuple[int, int]]:
    """Yield a file as a member; its size, and that of header and padding."""
    import tarfile

    with _open_below(root, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > left:
            raise problem(errno.EFBIG, name)
        info = tarfile.TarInfo(name)
        info.size, info.mtime = size, FIXED_MTIME
        info.mode = os.fstat(file.fileno()).st_mode & 0o777
        header = info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        yield header
        sent = 0
        while sent < size:
            piece = file.read(min(CHUNK, size - sent))
            # A file that shrinks while it is read is filled up: the frame of the tar must hold.
            piece = piece or b"\0" * min(CHUNK, size - sent)
            sent += len(piece)
            yield piece
        yield b"\0" * (-size % 512)
        return size, len(header) + -size % 512


def wipe(folder: str, keep: Sequence[str] = ()) -> None:
    """Empty `folder`, whatever is in it; mount points named in `keep` stay.

    A subfolder's own subfolders are moved up beside it before it goes, so that depth costs neither
    recursion nor descriptors nor path length.
    """
    _reopen(folder)
    serial = 0
    while True:
        names = [name for name in os.listdir(folder) if name not in keep]
        if not names:
            return
        for name in names:
            path = os.path.join(folder, name)
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            with os.scandir(path) as found:
                below = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
            for child, is_folder in below:
                inner = os.path.join(path, child)
                if is_folder:
                    os.chmod(inner, 0o700)
                    # An agent may have taken any name.
                    while os.path.lexists(aside := os.path.join(folder, f".wipe-{serial}")):
                        serial += 1
                    os.rename(inner, aside)
                else:
                    os.unlink(inner)
            os.rmdir(path)


def remove(path: str) -> None:
    """Remove whatever is at `path`, if there is something."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        wipe(path)
        os.rmdir(path)


def _reopen(folder: str) -> None:
    """Give a folder its mode back, and take from it what else an agent can have put on it."""
    os.chmod(folder, 0o755)
    with suppress(OSError):
        for name in os.listxattr(folder):
            os.removexattr(folder, name)


def lay(source: str, root: str, skip: Sequence[str], uid: int, gid: int) -> None:
    """Copy the starter files below `source` to `root`, owned by the agent, with fixed times.

    Top-level names in `skip` are mount points, and stay out. What is neither file, folder nor link
    is an OSError.
    """
    owner = (uid, gid) if os.getuid() == 0 else (-1, -1)
    folders = [root]
    todo = [name for name in sorted(os.listdir(source), reverse=True) if name not in skip]
    while todo:
        name = todo.pop()
        origin, path = f"{source}/{name}", f"{root}/{name}"
        found = os.lstat(origin)
        if stat.S_ISREG(found.st_mode):
            _copy(origin, path, found, owner)
        elif stat.S_ISDIR(found.st_mode):
            os.mkdir(path, 0o755)
            os.chown(path, *owner)
            folders.append(path)
            todo += [f"{name}/{inner}" for inner in sorted(os.listdir(origin), reverse=True)]
        elif stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(origin), path)
            os.chown(path, *owner, follow_symlinks=False)
            os.utime(path, ns=_FIXED_NS, follow_symlinks=False)
        else:
            raise problem(errno.EINVAL, origin)
    # Last: what is laid into a folder changes its time.
    for path in folders:
        os.utime(path, ns=_FIXED_NS)


def _copy(origin: str, path: str, found: os.stat_result, owner: tuple[int, int]) -> None:
    # All by descriptors: a reset lays every file anew, and waits for it.
    source = os.open(origin, os.O_RDONLY)
    mode = 0o755 if found.st_mode & 0o100 else 0o644
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        left = found.st_size
        while left and (sent := os.sendfile(target, source, None, left)):
            left -= sent
        os.chown(target, *owner)
        os.utime(target, ns=_FIXED_NS)
    finally:
        os.close(target)
        os.close(source)
