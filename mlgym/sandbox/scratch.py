"""Temporary folders, locked for as long as their owner lives, so that those of dead ones are found.

The lock falls when the owner dies, whatever the cause, and holds between containers too.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = re.compile(r"mlgym-[a-z]+-\w+")
_YOUNG_S = 60.0


@contextmanager
def scratch(purpose: str) -> Generator[str]:
    """A temporary folder; `purpose` is a lower-case word in its name.

    What cannot be removed at the end is left to `remove_abandoned`.
    """
    with tempfile.TemporaryDirectory(
        prefix=f"mlgym-{purpose}-", ignore_cleanup_errors=True
    ) as folder:
        fd = -1
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_SH)
            yield folder
        finally:
            # For an empty one no descriptor is needed, and there may be none left.
            with suppress(OSError):
                Path(folder).rmdir()
            if fd >= 0:
                os.close(fd)


def remove_abandoned(younger_s: float = _YOUNG_S) -> list[str]:
    """Remove this user's folders whose owners are gone; the path of each.

    Those younger than `younger_s` seconds are left alone: between being made and being locked a
    folder looks abandoned.
    """
    removed: list[str] = []
    for path in sorted(Path(tempfile.gettempdir()).glob("mlgym-*-*")):
        if _NAME.fullmatch(path.name) and _is_abandoned(path, younger_s):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(str(path))
    return removed


def _is_abandoned(path: Path, younger_s: float) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return found.st_uid == os.getuid() and time.time() - found.st_ctime >= younger_s
