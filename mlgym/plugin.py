"""Loads a class by `file.py:Class` in a folder, or by the import path `pkg.module:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mlgym.errors import ConfigError


def load_class(
    what: str, where: str, folder: Path | None, field: str = "class"
) -> Callable[..., Any]:
    """The class at `where`; `what` and `field` are for messages.

    Raises:
        ConfigError: there is none, or its file cannot be loaded; says in which line.
    """
    home, _, name = where.partition(":")
    try:
        if folder is not None and home.endswith(".py"):
            module = _load_file(folder / home)
        else:
            module = _import(home)
    except Exception as error:  # somebody's own code: whatever it raises is its author's to see
        raise ConfigError(f"{what} cannot be loaded: {told(error)}") from error
    made = getattr(module, name, None)
    if not inspect.isclass(made):
        raise ConfigError(
            f"{what}: {field}: found {where!r}, expected {home}:<a class that it defines>"
        )
    return made


def told(error: Exception) -> str:
    """File, line and message of an error: of the last line that is not a library's, if any."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: SyntaxError: {error.msg}"
    paths = sysconfig.get_paths()
    libraries = [paths["stdlib"], paths["purelib"], paths["platlib"], str(Path(__file__).parent)]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*libraries, "<frozen "))
    ]
    place = f"{own[-1].filename}, line {own[-1].lineno}: " if own else ""
    return f"{place}{type(error).__name__}: {error}"


def _import(name: str) -> ModuleType:
    # As `python -m` does, and last, so that nothing installed is hidden: own agents are often
    # a file in the folder one works in.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    return importlib.import_module(name)


def _load_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise ImportError(f"there is no file {path}")
    unique = f"mlgym_plugin_{path.parent.name}_{path.stem}_{abs(hash(path))}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module
