"""The command's own words, and what they cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest

Mlgym = Callable[..., Any]
COMMANDS = [
    ("run",),
    ("eval",),
    ("grade",),
    ("replay",),
    ("export",),
    ("import-traj",),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "diff"),
    ("runs", "rm"),
    ("report",),
    ("tasks", "list"),
    ("tasks", "show"),
    ("tasks", "new"),
    ("tasks", "check"),
    ("tasks", "baseline"),
    ("data", "list"),
    ("data", "prepare"),
    ("data", "verify"),
    ("images", "list"),
    ("images", "build"),
    ("agents", "list"),
    ("agents", "new"),
    ("models", "list"),
    ("models", "show"),
    ("models", "test"),
    ("bench",),
    ("doctor",),
    ("gc",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_that_prints_data_explains_itself_and_has_json(
    mlgym: Mlgym, command: tuple[str, ...]
) -> None:
    ran = mlgym(*command, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


def test_python_m_mlgym_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlgym", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{version('mlgym')}\n"
