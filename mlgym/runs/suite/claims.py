"""What stands on disk of a cell: its run, which lies at the cell's own name, and its lost tries.

DIR/<key>          the run that counts
DIR/<key>.lost1    a try that the infrastructure failed, as it was; reports count it apart
DIR/.aside/        runs that were cut off and could not be resumed; reports do not see them
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Literal, cast

from mlgym.errors import ConfigError
from mlgym.runs.store import CHECKPOINT, RECORD, RunFolder
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.matrix import Cell
from mlgym.types import ExitReason

ASIDE = ".aside"
State = Literal["missing", "cut_off", "scored", "unscored", "failed", "unsound"]
"""`failed`: the infrastructure did. `unsound`: its task did, and would again."""
DONE: tuple[State, ...] = ("scored", "unscored", "unsound")


@dataclass(frozen=True, slots=True)
class Standing:
    """`record` is None where there is none. `lost` counts failed tries, this one among them."""

    state: State
    record: dict[str, Any] | None
    lost: int

    @property
    def is_done(self) -> bool:
        return self.state in DONE


def look(folder: Path, cell: Cell) -> Standing:
    """How the cell stands. Raises ConfigError for a record that is none."""
    run = RunFolder(folder / cell.key)
    lost = len(lost_tries(folder, cell))
    if not (run.path / RECORD).exists():
        return Standing("missing", None, lost)
    record = run.record()
    try:
        state = _state(record)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{run.path}/{RECORD}: is no record of a run: {error!r}") from None
    return Standing(state, record, lost + (state == "failed"))


def tidy(folder: Path, cell: Cell) -> None:
    """Remove what a run that has ended needs no more: it may have been killed a moment after."""
    with suppress(HeldError):
        if (folder / cell.key / CHECKPOINT).exists():
            with held(folder, cell.key):
                shutil.rmtree(folder / cell.key / CHECKPOINT, ignore_errors=True)


def _state(record: dict[str, Any]) -> State:
    if record["exit_reason"] is None:
        return "cut_off"
    if record["exit_reason"] == ExitReason.TASK_ERROR:
        return "unsound"
    if record["status"] == "infrastructure_failure":
        return "failed"
    return cast("State", record["status"])


def lost_tries(folder: Path, cell: Cell) -> list[Path]:
    """The folders of the tries that the infrastructure failed before, in their order."""
    return list(takewhile(Path.is_dir, _numbered(folder / f"{cell.key}.lost")))


def set_lost(folder: Path, cell: Cell) -> None:
    """Make room for another try: the failed one stays beside, as it was."""
    (folder / cell.key).rename(free(folder / f"{cell.key}.lost"))


def set_aside(folder: Path, cell: Cell) -> Path:
    """Put the run where no report sees it; where it is now."""
    (folder / ASIDE).mkdir(exist_ok=True)
    return (folder / cell.key).rename(free(folder / ASIDE / f"{cell.key}."))


def free(path: Path) -> Path:
    """The first of `path`1, `path`2 and so on at which there is nothing."""
    return next(one for one in _numbered(path) if not one.exists())


def _numbered(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}{number}") for number in count(1))
