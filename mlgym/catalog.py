"""Finds packs and resolves the names of tasks, agents and images to folders.

A pack is a folder that holds any of the three shelves `tasks/`, `agents/`, `containers/`. Packs
come, in this order, from `MLGYM_PATH`, from the entry-point group `mlgym.packs`, and from MLGym
itself. A name stands for one folder: a duplicate is a `ConfigError`. Nothing is parsed here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, cast

import platformdirs

from mlgym.errors import ConfigError, unknown_name

Shelf = Literal["tasks", "agents", "containers"]

_MARKER: dict[Shelf, str] = {
    "tasks": "task.yaml",
    "agents": "agent.yaml",
    "containers": "image.yaml",
}
_KIND: dict[Shelf, tuple[str, str]] = {
    "tasks": ("task", "mlgym tasks list"),
    "agents": ("agent", "mlgym agents list"),
    "containers": ("image", "mlgym images list"),
}


def home() -> Path:
    """`$MLGYM_HOME`, or the user's cache folder: prepared data, built environments, locks."""
    configured = os.environ.get("MLGYM_HOME")
    return Path(configured).absolute() if configured else platformdirs.user_cache_path("mlgym")


def builtin_root() -> Path:
    """The pack that MLGym ships: `_data` in a wheel, the repository's root in a checkout."""
    package = Path(__file__).resolve().parent
    packaged = package / "_data"
    return packaged if packaged.is_dir() else package.parent


def roots() -> Iterator[Path]:
    """The roots of all packs, in the order in which they are searched."""
    for entry in os.environ.get("MLGYM_PATH", "").split(os.pathsep):
        if entry:
            root = Path(entry).absolute()
            if not root.is_dir():
                raise ConfigError(f"MLGYM_PATH: {entry!r} is not a folder")
            yield root
    for point in _pack_points(tuple(sys.path)):
        yield Path(cast("Callable[[], str | Path]", point.load())()).absolute()
    yield builtin_root()


@cache
def _pack_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """What is installed along `path`: reading it all takes milliseconds, at every cold start."""
    del path
    return tuple(entry_points(group="mlgym.packs"))


def shelf(name: Shelf) -> dict[str, Path]:
    """All folders of one shelf by name, sorted.

    Raises:
        ConfigError: two packs hold a folder of the same name.
    """
    found: dict[str, Path] = {}
    for root in roots():
        for marker in sorted((root / name).glob(f"*/{_MARKER[name]}")):
            folder = marker.parent
            other = found.setdefault(folder.name, folder)
            if other.resolve() != folder.resolve():
                raise ConfigError(
                    f"two {_KIND[name][0]}s are called {folder.name!r}: {other} and {folder}"
                )
    return dict(sorted(found.items()))


def resolve(name: Shelf, wanted: str) -> Path:
    """The folder of the task, agent or image `wanted`.

    Raises:
        ConfigError: no such folder; names the nearest and the command that lists them.
    """
    found = shelf(name)
    if wanted not in found:
        kind, command = _KIND[name]
        raise unknown_name(kind, wanted, found, command)
    return found[wanted]
