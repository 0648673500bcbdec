"""Locks of a suite's folder: one for each cell, so that several processes share its work.

A lock ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from mlgym.errors import MLGymError

LOCKS = ".locks"
_LOOK_S = 0.02


class HeldError(MLGymError):
    """Another process is at work on it."""


@contextlib.contextmanager
def held(folder: Path, name: str, wait_s: float = 0.0) -> Generator[None, None, None]:
    """Hold the lock `name` of the suite in `folder`.

    Where the file system has no such locks it goes unheld.

    Raises:
        HeldError: another process holds it still after `wait_s` seconds.
    """
    path = folder / LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    until = time.monotonic() + wait_s
    try:
        while not _taken(handle):
            if time.monotonic() >= until:
                raise HeldError(f"{folder}: another process is at work on {name}")
            time.sleep(_LOOK_S)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
