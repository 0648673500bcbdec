"""What lies in a folder of runs: a row for each, whatever state it is in; what may be removed."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from mlgym.errors import ConfigError
from mlgym.runs.folders import open_plain, read_record, run_folders
from mlgym.runs.store import PARTS, RECORD, TRAJECTORY, RunFolder

STATES = ("scored", "unscored", "infrastructure_failure", "running", "cut_off", "broken")
"""`cut_off`: its process ended before it did. `broken`: its `run.json` is missing or no record."""
ENDED = STATES[:3]


@dataclass(frozen=True, slots=True)
class Row:
    """A run folder in short. What its record does not tell, or tells in a wrong type, is None.

    `value` is the primary metric on the test split, `score` its normalized form. `status` is one of
    `STATES`; `problem` says what is broken, else it is empty.
    """

    folder: str
    status: str
    problem: str = ""
    task: str | None = None
    profile: str | None = None
    data_seed: int | None = None
    agent: str | None = None
    model: str | None = None
    seed: int | None = None
    exit_reason: str | None = None
    steps: int | None = None
    primary: str | None = None
    value: float | None = None
    score: float | None = None
    total_reward: float | None = None
    cost_usd: float | None = None
    started_at: str | None = None
    duration_s: float | None = None

    @property
    def path(self) -> Path:
        # Made when it is asked for: ten thousand of them take a tenth of a second.
        return Path(self.folder)

    @property
    def run_id(self) -> str:
        return os.path.basename(self.folder) or self.path.name  # noqa: PTH119 - see `path`

    def to_json(self) -> dict[str, Any]:
        names = (field.name for field in fields(self) if field.name != "folder")
        row = {name: getattr(self, name) for name in names}
        return {"run_id": self.run_id, "path": str(self.path), **row}


def list_runs(root: Path) -> list[Row]:
    """A row for each run that `run_folders` finds, by id.

    Raises:
        ConfigError: `root` is no folder, or cannot be read.
    """
    rows = map(read_row, run_folders(root))
    return sorted(rows, key=lambda row: (row.run_id, row.folder))


def read_row(folder: str) -> Row:
    """The row of the run folder: whatever is wrong with it is said in the row."""
    try:
        record = read_record(folder)
    except FileNotFoundError:
        if is_running(folder):
            return Row(folder, "running")
        return Row(folder, "broken", f"it holds no {RECORD}")
    except OSError as error:
        return Row(folder, "broken", f"{RECORD}: {error.strerror or error}")
    except (ValueError, RecursionError) as error:
        return Row(folder, "broken", f"{RECORD}: {error}")
    return row_of(folder, record)


def row_of(folder: str, record: Mapping[str, Any]) -> Row:
    """The row of a run whose record was read."""
    status = _text(record, "status")
    if status not in ENDED:
        return Row(folder, "broken", f"{RECORD}: status: found {status!r}, expected {ENDED}")
    steps = _whole(record, "steps")
    if record.get("exit_reason") is None:
        status = "running" if is_running(folder) else "cut_off"
        steps = _steps_so_far(f"{folder}/{TRAJECTORY}")
    score = _mapping(record, "score")
    primary = _text(score, "primary")
    return Row(
        folder,
        status,
        task=_text(record, "task"),
        profile=_text(record, "profile"),
        data_seed=_whole(record, "data_seed"),
        agent=_text(record, "agent"),
        model=_text(record, "model"),
        seed=_whole(record, "seed"),
        exit_reason=_text(record, "exit_reason"),
        steps=steps,
        primary=primary,
        value=_number(_mapping(score, "metrics"), primary or ""),
        score=_number(score, "normalized"),
        total_reward=_number(record, "total_reward"),
        cost_usd=_number(_mapping(record, "usage"), "cost_usd"),
        started_at=_text(record, "started_at"),
        duration_s=_number(record, "duration_s"),
    )


def is_running(folder: str) -> bool:
    try:
        return RunFolder(Path(folder)).is_running
    except OSError:  # it went meanwhile, or may not be entered
        return False


def _steps_so_far(path: str) -> int | None:
    """The actions among the whole lines, of which the first is the reset."""
    lines = 0
    try:
        with open_plain(path) as file:
            while piece := file.read(1 << 20):
                lines += piece.count(b"\n")
    except OSError:
        return None
    return max(0, lines - 1)


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    return value if isinstance(value, str) else None


def _whole(found: Mapping[str, Any], key: str) -> int | None:
    value = found.get(key)
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return value if whole else None


def _number(found: Mapping[str, Any], key: str) -> float | None:
    value = finite(found.get(key))
    return None if value is None else float(value)


def finite(value: object) -> float | None:
    """The number that `value` is, None where it is none that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def remove_run(path: Path) -> None:
    """Remove a run folder for good.

    Raises:
        ConfigError: it is none, holds what no run leaves, or its run is running; nothing is lost.
    """
    if path.is_symlink() or not any((path / name).is_file() for name in (RECORD, TRAJECTORY)):
        raise ConfigError(
            f"{path}: found no run folder, expected one with a {RECORD}: nothing was removed"
        )
    path = path.resolve()
    # What was half written when its process was killed has a name of its own.
    known = {*PARTS, *(f".{name}.new" for name in PARTS)}
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in known)
    if foreign:
        raise ConfigError(
            f"{path}: found {', '.join(foreign)}, which no run leaves: nothing was removed; take it"
            " elsewhere, or remove the folder by hand"
        )
    try:
        with RunFolder(path).held():
            shutil.rmtree(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be removed: {error}") from error
