"""Files that are there whole or as they were, whenever who writes them is killed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_whole(path: Path) -> Generator[Path, None, None]:
    """A name beside `path` to write to. It takes the place of `path` at the end, and goes where
    that is not reached. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        yield fresh
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` for people to read too, down to the disk. Raises OSError."""
    with written_whole(path) as fresh, fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
