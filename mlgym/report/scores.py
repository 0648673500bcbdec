"""Reads other people's results: one line of JSON a run.

`{"task", "model", "seed", "goal", "baseline": x|null, "best": x|null, "last": x|null}`, null where
there is no valid score. A task's baseline is the first that is not null, its target the best value
in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlgym.errors import ConfigError
from mlgym.report.entries import BASELINE, Entry, Goal, Sheet, TaskFacts, some
from mlgym.task.scale import place_of


class ScoreLine(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    task: str = Field(min_length=1)
    model: str = Field(min_length=1)
    seed: int
    goal: Goal
    baseline: float | None = Field(allow_inf_nan=False)
    best: float | None = Field(allow_inf_nan=False)
    last: float | None = Field(allow_inf_nan=False)


def read_scores(path: Path) -> Sheet:
    """The sheet of a file of scores.

    Raises:
        ConfigError: it cannot be read, holds no line or a line that is none, or a task has two
            goals, or a model the name that the baseline has.
    """
    lines = list(_lines(path))
    if not lines:
        raise ConfigError(f"{path}: holds no line")
    notes: list[str] = []
    by_task: dict[str, list[ScoreLine]] = {}
    for line in lines:
        by_task.setdefault(line.task, []).append(line)
    tasks = [_facts(path, name, found, notes) for name, found in sorted(by_task.items())]
    facts = {task.name: task for task in tasks}
    entries = tuple(
        Entry(
            line.task,
            line.model,
            line.seed,
            scores={"best_attempt": line.best, "best_submission": line.last},
            places={
                "best_attempt": _place(facts[line.task], line.best),
                "best_submission": _place(facts[line.task], line.last),
            },
        )
        for line in lines
    )
    models = tuple(sorted({line.model for line in lines}))
    return Sheet(f"scores of {path.name}", "scores", tuple(tasks), models, entries, tuple(notes))


def _lines(path: Path) -> Iterator[ScoreLine]:
    try:
        # Only "\n" ends a line: JSON leaves other separators inside of strings.
        texts = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    for number, text in enumerate(texts, 1):
        if text.strip():
            yield _parsed(f"{path}: line {number}", text)


def _parsed(where: str, text: bytes) -> ScoreLine:
    try:
        found: Any = json.loads(text)
        line = ScoreLine.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "it"
        raise ConfigError(
            f"{where}: {field}: {first['msg']}, found {first['input']!r:.100}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: {error}") from None
    if line.model == BASELINE:
        raise ConfigError(
            f"{where}: model: {BASELINE!r} is the name of the task's baseline; give it another name"
        )
    return line


def _facts(path: Path, task: str, lines: Sequence[ScoreLine], notes: list[str]) -> TaskFacts:
    goals = {line.goal for line in lines}
    if len(goals) > 1:
        raise ConfigError(f"{path}: task {task!r} is both to be maximized and to be minimized")
    goal = lines[0].goal
    baselines = list(dict.fromkeys(line.baseline for line in lines if line.baseline is not None))
    baseline = baselines[0] if baselines else None
    if len(baselines) > 1:
        others = some([f"{value:g}" for value in baselines[1:]])
        notes.append(
            f"{task}: the baseline is {baselines[0]:g}, the file's first; it also says {others}."
        )
    if baseline is None:
        notes.append(f"{task}: the file gives no baseline.")
    known = [baseline, *(line.best for line in lines), *(line.last for line in lines)]
    values = [value for value in known if value is not None]
    best = max if goal == "maximize" else min
    return TaskFacts(task, "score", goal, baseline, best(values) if values else None)


def _place(task: TaskFacts, value: float | None) -> float | None:
    if value is None or task.baseline is None or task.target in (None, task.baseline):
        return None
    return place_of(value, task.baseline, task.target, "linear")
