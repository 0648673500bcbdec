"""Finds run folders below a root, and reads what lies in them without following a link.

A run folder may come from anywhere. Whoever made it could have put a link, a pipe or a file without
end where a record should be: none of them is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Container, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from mlgym.errors import ConfigError
from mlgym.runs.store import RECORD, TRAJECTORY

_DEEPEST = 4
LARGEST_RECORD = 4 << 20


def run_folders(root: Path, known: Container[str] = ()) -> Iterator[str]:
    """The paths of run folders: `root` itself, or those below it, four folders deep at most.

    A folder with a `run.json` or a `trajectory.jsonl` is a run's. Links are not followed, and what
    begins with a dot is in the making. A path in `known` is taken for a run's without a look.

    Raises:
        ConfigError: `root` is no folder, or cannot be read.
    """
    check_root(root)
    yield from _walk(str(root), _DEEPEST, known)


def check_root(root: Path) -> None:
    """Raises ConfigError where `root` is no folder, or cannot be read."""
    if not root.is_dir():
        raise ConfigError(f"{root}: found no folder there, expected one that holds run folders")
    try:
        os.scandir(root).close()
    except OSError as error:
        raise ConfigError(f"{root}: {error.strerror}") from error


def _walk(folder: str, deeper: int, known: Container[str]) -> Iterator[str]:
    # Thousands of folders are runs: for those one look at the record is enough.
    if folder in known or _is_there(f"{folder}/{RECORD}"):
        yield folder
        return
    inner: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        inner.append(entry.path)
                elif entry.name == TRAJECTORY:
                    yield folder
                    return
    except OSError:
        return
    if deeper:
        for path in inner:
            yield from _walk(path, deeper - 1, known)


def _is_there(path: str) -> bool:
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def open_plain(path: str | Path) -> Generator[BinaryIO, None, None]:
    """A regular file, open for reading. Raises OSError for anything else."""
    handle, _ = _opened(path)
    with os.fdopen(handle, "rb") as file:
        yield file


def read_plain(path: str | Path, most: int) -> bytes:
    """The bytes of a regular file. Raises OSError for anything else, or more than `most` bytes."""
    handle, size = _opened(path)
    try:
        # One byte more shows a file that grew meanwhile.
        found = os.read(handle, min(size, most) + 1)
    finally:
        os.close(handle)
    if len(found) > most:
        raise OSError(f"it is larger than {most} bytes")
    if len(found) != size:
        raise OSError("it changed while it was read")
    return found


def _opened(path: str | Path) -> tuple[int, int]:
    """A descriptor and a size in bytes."""
    # Without O_NONBLOCK a pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise OSError("it is no regular file")
    return handle, state.st_size


def read_record(folder: str | Path) -> Mapping[str, Any]:
    """The content of a run's `run.json`.

    Raises:
        OSError, ValueError, RecursionError: there is none, or it is no JSON object of usual size.
    """
    found = json.loads(read_plain(f"{folder}/{RECORD}", LARGEST_RECORD).decode())
    if not isinstance(found, dict):
        raise ValueError(f"found {found!r:.100}, expected an object")  # noqa: TRY004
    return cast("dict[str, Any]", found)
