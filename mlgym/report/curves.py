"""Score against step: how far each run's best validation had come after every step.

The rewards of `validate` in a trajectory are the gains of exactly that, so that no task need be
known. A file is searched for such lines, the rest of it is not parsed: ten thousand runs take
seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlgym.report.bootstrap import RESAMPLES, student, weights
from mlgym.report.entries import Array, Sheet
from mlgym.runs.store import TRAJECTORY

MOST_RUNS = 500
MOST_STEPS = 10_000
_VALIDATED = b'"tool": "validate"'
# The beginning of a line, by which branches are known without parsing it.
_PLACE = re.compile(rb'^\{"step": (\d+), "parent": (\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Curve:
    """The mean over tasks of the mean over runs, at each of `steps`; None where there are no runs.

    `low` and `high` are the 95 % interval, None with a single run in a cell.
    """

    model: str
    steps: Array
    mean: Array
    low: Array | None
    high: Array | None


def score_by_step(sheet: Sheet) -> tuple[list[Curve], str]:
    """A curve for each model that has judged runs, and what a reader must know of them."""
    cells = {cell: [each.run for each in runs if each.run] for cell, runs in sheet.judged.items()}
    total = sum(map(len, cells.values()))
    stride = -(-total // MOST_RUNS) or 1
    gains = {
        cell: [_gains(run.path / TRAJECTORY) for run in runs[::stride]]
        for cell, runs in cells.items()
    }
    longest = max((run.steps for runs in cells.values() for run in runs), default=0)
    note = "Validation, clipped to [0, 1]; a run that ended early keeps its best."
    if stride > 1:
        note += f" Of every {stride} runs of a model on a task one is shown."
    steps = np.arange(min(longest, MOST_STEPS) + 1, dtype=np.float64)
    curves = [
        curve
        for model in sheet.models
        if (curve := _curve(model, [gains[task.name, model] for task in sheet.tasks], steps))
    ]
    return curves, note


def _gains(path: Path) -> Mapping[int, float]:
    """The best validation so far after each step at which it rose."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    whole = content[: content.rfind(b"\n") + 1]
    parents = {int(found[1]): int(found[2]) for found in _PLACE.finditer(whole)}
    branched = any(parent != step - 1 for step, parent in parents.items())
    paid = dict(_paid(whole))
    best: dict[int, float] = {0: 0.0}
    highest, risen = 0.0, dict[int, float]()
    # Without branches the steps between two validations change nothing.
    for step in sorted(parents) if branched else sorted(paid):
        before = best.get(parents.get(step, 0), 0.0) if branched else highest
        best[step] = before + paid.get(step, 0.0)
        if best[step] > highest:
            highest = risen[step] = best[step]
    return risen


def _paid(content: bytes) -> Iterator[tuple[int, float]]:
    at = content.find(_VALIDATED)
    while at >= 0:
        start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
        try:
            line = json.loads(content[start:end])
            if line["tool"] == "validate":
                yield int(line["step"]), max(0.0, float(line["reward"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        at = content.find(_VALIDATED, end)


def _curve(
    model: str, tasks: Sequence[Sequence[Mapping[int, float]]], steps: Array
) -> Curve | None:
    filled = [runs for runs in tasks if runs]
    if not filled:
        return None
    strata = [np.stack([_line(run, len(steps)) for run in runs]) for runs in filled]
    mean = np.mean([runs.mean(axis=0) for runs in strata], axis=0)
    if min(map(len, strata)) < 2:
        return Curve(model, steps, mean, None, None)
    drawn = np.zeros((RESAMPLES, len(steps)))
    for place, runs in enumerate(strata):
        drawn += weights(len(runs), model, str(place)) @ runs / (len(runs) - 1)
    freedom = sum(map(len, strata)) - len(strata)
    around = student(freedom) * (drawn / len(strata)).std(axis=0)
    return Curve(model, steps, mean, np.maximum(mean - around, 0.0), np.minimum(mean + around, 1.0))


def _line(risen: Mapping[int, float], length: int) -> Array:
    line = np.zeros(length)
    for step, best in sorted(risen.items()):
        if step < length:
            line[step:] = min(best, 1.0)
    return line
