"""Temporary folders named by their owner's process id, so that those of dead ones can be found."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from mlgym.sandbox.slots import start_time

_NAME = re.compile(r"mlgym-[a-z]+-(\d+)-\w+")


def scratch(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for the length of a `with`; `purpose` is a lower-case word in its name."""
    return tempfile.TemporaryDirectory(prefix=f"mlgym-{purpose}-{os.getpid()}-")


def remove_abandoned() -> list[str]:
    """Remove this user's folders whose owners are gone; the path of each."""
    removed: list[str] = []
    for path in sorted(Path(tempfile.gettempdir()).glob("mlgym-*")):
        named = _NAME.fullmatch(path.name)
        if named is None or path.is_symlink() or path.lstat().st_uid != os.getuid():
            continue
        if start_time(int(named[1])) is None:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(str(path))
    return removed
