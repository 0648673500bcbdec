"""The libraries that an extra brings: loaded where they are used, named where they are missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mlgym.errors import ConfigError


def need(extra: str, *modules: str) -> None:
    """Make sure that the top-level `modules` are installed. Raises ConfigError with the command."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"mlgym.integrations.{extra} needs {', '.join(missing)}: pip install 'mlgym[{extra}]'"
        )


def library(extra: str, module: str) -> Any:
    """The module, loaded. Untyped: the core is checked where no extra is installed.

    Raises:
        ConfigError: it is not installed; says how it is.
    """
    need(extra, module.partition(".")[0])
    return import_module(module)
