"""Reads folders of runs, tolerantly: thousands of records at once, finished, killed or broken.

Only `run.json` is read, but for a run that has not ended: what it came to so far stands in its
trajectory alone, up to the last whole line. A folder that cannot be read is told of, never raised:
one broken run must not hide the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError
from mlgym.runs.folders import read_record, run_folders
from mlgym.runs.store import RECORD, TRAJECTORY
from mlgym.trajectory import read_trajectory
from mlgym.types import Usage


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """A score of a record. `value` is the primary metric's; `normalized` is None if unknown."""

    metrics: Mapping[str, float]
    primary: str
    value: float
    normalized: float | None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One `run.json`. `exit_reason` is None for a run that has not ended: killed, or still at work.

    Times are in seconds, money in US dollars; `cost_usd` is None where it is unknown.
    """

    path: Path
    run_id: str
    task: str
    task_version: int
    task_sha256: str
    profile: str
    data_seed: int
    agent: str
    model: str | None
    seed: int
    status: str
    exit_reason: str | None
    steps: int
    total_reward: float
    score: RecordedScore | None
    best_validation: RecordedScore | None
    baseline: Mapping[str, float]
    usage: Usage
    started_at: str
    duration_s: float
    max_steps: int | None

    @property
    def ended(self) -> bool:
        return self.exit_reason is not None

    @property
    def is_judged(self) -> bool:
        """Whether the run says anything about its agent: it ended, and not by a failure of ours."""
        return self.ended and self.status != "infrastructure_failure"


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """The runs below a folder, by path, and a sentence for each folder that could not be read."""

    runs: tuple[RecordedRun, ...]
    unreadable: tuple[str, ...]


def read_runs(root: Path) -> FoundRuns:
    """Every run in `root`: a run's folder itself, or a folder of them, also of several suites.

    Raises:
        ConfigError: `root` is no folder, or cannot be read.
    """
    runs: list[RecordedRun] = []
    unreadable: list[str] = []
    for folder in sorted(run_folders(root)):
        try:
            runs.append(read_run(Path(folder)))
        except ConfigError as error:
            unreadable.append(str(error))
    return FoundRuns(tuple(runs), tuple(unreadable))


def read_run(folder: Path) -> RecordedRun:
    """The run in `folder`; one that has not ended as far as its trajectory tells.

    Raises:
        ConfigError: there is no readable record.
    """
    path = folder / RECORD
    try:
        found = read_record(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        run = _parsed(folder, found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        kind = type(error).__name__
        raise ConfigError(f"{path}: is no record of a run: {kind}: {error}") from None
    return run if run.ended else _so_far(run)


def _parsed(folder: Path, found: Mapping[str, Any]) -> RecordedRun:
    usage: dict[str, Any] = found.get("usage") or {}
    config: dict[str, Any] = found.get("config") or {}
    cost, budget = usage.get("cost_usd"), config.get("max_steps")
    return RecordedRun(
        path=folder,
        run_id=str(found.get("run_id") or folder.name),
        task=_text(found["task"]),
        task_version=int(found.get("task_version") or 1),
        task_sha256=str(found.get("task_sha256") or ""),
        profile=_text(found["profile"]),
        data_seed=int(found.get("data_seed") or 0),
        agent=_text(found["agent"]),
        model=None if found.get("model") is None else _text(found["model"]),
        seed=int(found.get("seed") or 0),
        status=_text(found["status"]),
        exit_reason=None if found.get("exit_reason") is None else _text(found["exit_reason"]),
        steps=int(found.get("steps") or 0),
        total_reward=float(found.get("total_reward") or 0.0),
        score=_score(found.get("score")),
        best_validation=_score(found.get("best_validation")),
        baseline=_numbers(found.get("baseline") or {}),
        usage=Usage(
            calls=int(usage.get("calls") or 0),
            input_tokens=int(usage.get("input_tokens") or 0),
            cached_tokens=int(usage.get("cached_tokens") or 0),
            output_tokens=int(usage.get("output_tokens") or 0),
            cost_usd=None if cost is None else float(cost),
        ),
        started_at=str(found.get("started_at") or ""),
        duration_s=float(found.get("duration_s") or 0.0),
        max_steps=None if budget is None else int(budget),
    )


def _score(found: dict[str, Any] | None) -> RecordedScore | None:
    if found is None:
        return None
    metrics, primary = _numbers(found["metrics"]), _text(found["primary"])
    value, place = metrics[primary], found.get("normalized")
    if not math.isfinite(value):
        raise ValueError(f"{primary} is {value}, expected a finite number")
    return RecordedScore(metrics, primary, value, None if place is None else float(place))


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in found.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r:.100}, expected text")
    return value


def _so_far(run: RecordedRun) -> RecordedRun:
    """What a run that has not ended did, by the whole lines of its trajectory."""
    try:
        lines = read_trajectory(run.path / TRAJECTORY)
    except ConfigError:
        return run
    if not lines:
        return run
    spent = sum((line.usage for line in lines if line.usage), Usage())
    return replace(
        run,
        steps=sum(line.action is not None and line.step > 0 for line in lines),
        total_reward=sum(line.reward for line in lines),
        usage=spent,
        duration_s=max(0.0, lines[-1].time - lines[0].time),
    )
