"""Runs the command line in this process, as the command `mlgym` would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mlgym.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str


Mlgym = Callable[..., Ran]


@pytest.fixture
def mlgym(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Mlgym:
    monkeypatch.delenv("MLGYM_DEBUG", raising=False)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), captured.out, captured.err)

    return run
