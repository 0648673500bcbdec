"""A submitted program that looks for what it must not find, and says what it found.

It runs in the player's sandbox, on the standard library. What it finds is in the error that it ends
with, after a mark that the check looks for.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

MARK = "INTRUDER FOUND"


def intrude() -> None:
    """Raises RuntimeError, with the mark where anything was found."""
    found = [*files(), *network()]
    print(*found)
    raise RuntimeError(f"{MARK}: {found}" if found else "nothing was found")


def files() -> Iterator[str]:
    """Where answers and graders lie in another sandbox, and files of their names anywhere."""
    for folder in ("/answers", "/grader"):
        try:
            inside = list(Path(folder).iterdir())
        except OSError:
            continue
        if inside:  # an image may have the empty folders, to mount upon
            yield f"{folder} holds {inside}"
    base = str(Path(sys.base_prefix).resolve())
    skipped = ("/proc", "/sys", "/usr", "/lib", "/dev", "/opt", base)
    for folder, below, names in os.walk("/"):
        below[:] = [name for name in below if not str(Path(folder) / name).startswith(skipped)]
        for name in names:
            if name in ("salt", "grade.py", "solution.py", "task.yaml", "manifest.json"):
                yield f"{folder}/{name} is there"


def network() -> Iterator[str]:
    """A way out: an interface beside loopback, or a route to anywhere (nothing is sent)."""
    for _, name in socket.if_nameindex():
        if name != "lo":
            yield f"the interface {name}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return
    yield "a route to 192.0.2.1"
