"""Removes what killed processes left: sandboxes, temporary folders, half-built images and data."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mlgym.catalog import home
from mlgym.sandbox import bubblewrap, docker
from mlgym.sandbox.scratch import remove_abandoned

_YOUNG_S = 60.0
_UNFINISHED = re.compile(r"(?P<final>.+)\.new-\w+")


def reap(backend: str) -> list[str]:
    """End and remove what dead processes left of this backend, and their temporary folders.

    What each was, in a line. Raises SandboxError where the daemon fails.
    """
    removed = [f"temporary folder {path}" for path in remove_abandoned()]
    if backend == "bubblewrap":
        return bubblewrap.reap() + removed
    return docker.reap_docker() + removed if backend == "docker" else removed


def remove_unfinished(younger_s: float = _YOUNG_S) -> list[str]:
    """Remove half-built images and data; what another process is at work on is left alone.

    That is known by locks, and of what takes no time to make by its age of `younger_s` seconds.
    """
    removed: list[str] = []
    for folder in _quickly_made():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_ctime >= younger_s:
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(f"unfinished {folder}")
    for folder, lock in _unfinished():
        try:
            with FileLock(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(f"unfinished {folder}")
        except Timeout:
            continue
    return removed


def _quickly_made() -> Iterator[Path]:
    """Folders that were never renamed to their final name, and that no lock tells of."""
    for pattern in ("*-*.new-*", "workspaces/*.new-*", "roots/new-*"):
        yield from sorted(home().glob(pattern))


def _unfinished() -> Iterator[tuple[Path, Path]]:
    """Folders that were never renamed to their final name, with the lock of their makers."""
    for pattern in ("envs/*.new-*", "wheels/*.new-*", "data/*/.*.new-*"):
        for folder in sorted(home().glob(pattern)):
            named = _UNFINISHED.fullmatch(folder.name)
            if named is not None and folder.is_dir():
                yield folder, folder.with_name(f"{named['final']}.lock")
