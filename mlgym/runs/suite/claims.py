"""What stands on disk of a cell: its run, which lies at the cell's own name, and its lost tries.

DIR/<key>          the run that counts
DIR/<key>.lost1    a try that the infrastructure failed, as it was; reports count it apart
DIR/.aside/        runs that were cut off and could not be resumed; reports do not see them
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
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
    pattern = re.compile(re.escape(cell.key) + r"\.lost(\d+)")
    found: dict[int, Path] = {}
    for path in folder.glob(f"{_plain(cell.key)}.lost*"):
        named = pattern.fullmatch(path.name)
        if named is not None:
            found[int(named[1])] = path
    return [found[number] for number in sorted(found)]


def _plain(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def set_lost(folder: Path, cell: Cell) -> None:
    """Make room for another try: the failed one stays beside, as it was."""
    numbers = [int(path.suffix.removeprefix(".lost")) for path in lost_tries(folder, cell)]
    path = folder / cell.key
    path.rename(path.with_name(f"{cell.key}.lost{max(numbers, default=0) + 1}"))


def set_aside(folder: Path, cell: Cell) -> Path:
    """Put the run where no report sees it; where it is now."""
    place = folder / ASIDE
    place.mkdir(exist_ok=True)
    number = len(list(place.glob(f"{_plain(cell.key)}.*"))) + 1
    return (folder / cell.key).rename(place / f"{cell.key}.{number}")
