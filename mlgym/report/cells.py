"""The best over k of every (task, model), and its resamples: for AUP, ranks and best@k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlgym.report.bootstrap import RESAMPLES, Estimate, estimate, resampled_bests
from mlgym.report.entries import Array, Goal, Sheet, TaskFacts, Variant

Values = Callable[[str, str, Variant], Array]


@dataclass(frozen=True, slots=True)
class Bests:
    """`value` (tasks, models), `draws` (resamples, tasks, models), `counts` of runs by task."""

    value: Array
    draws: Array
    counts: tuple[tuple[int, ...], ...]

    def counts_of(self, model: int) -> list[int]:
        return [row[model] for row in self.counts]

    def of_tasks(self, kept: Sequence[int]) -> Bests:
        """The same of some of the tasks."""
        rows = list(kept)
        counts = tuple(self.counts[task] for task in rows)
        return Bests(self.value[rows], self.draws[:, rows], counts)


def best_estimate(sheet: Sheet, task: TaskFacts, model: str, variant: Variant) -> Estimate:
    """The best over k of one cell, in the metric's own units; of the runs that have a score."""
    sign = 1.0 if task.goal == "maximize" else -1.0
    cell = sheet.scores(task.name, model, variant) * sign
    cell = cell[np.isfinite(cell)]
    if not len(cell):
        return Estimate(None)
    parts = sign * resampled_bests(cell, task.name, model)[:, None]
    return estimate(float(sign * cell.max()), parts, [len(cell)])


def best_scores(sheet: Sheet, variant: Variant) -> Bests:
    """Best scores in the metrics' own units and directions."""
    return _bests(sheet, variant, sheet.scores, [task.goal for task in sheet.tasks])


def best_places(sheet: Sheet, variant: Variant) -> Bests:
    """Best places: to be raised, whatever the metric."""
    raised: list[Goal] = ["maximize"] * len(sheet.tasks)
    return _bests(sheet, variant, sheet.places, raised)


def _bests(sheet: Sheet, variant: Variant, values: Values, goals: Sequence[Goal]) -> Bests:
    shape = (len(sheet.tasks), len(sheet.models))
    value = np.full(shape, np.nan)
    drawn = np.full((RESAMPLES, *shape), np.nan)
    counts: list[tuple[int, ...]] = []
    for row, (task, goal) in enumerate(zip(sheet.tasks, goals, strict=True)):
        sign = 1.0 if goal == "maximize" else -1.0
        for column, model in enumerate(sheet.models):
            cell = values(task.name, model, variant) * sign
            if len(cell):
                value[row, column] = sign * np.nanmax(cell) if np.isfinite(cell).any() else np.nan
                drawn[:, row, column] = sign * resampled_bests(cell, task.name, model)
        counts.append(tuple(len(sheet.judged[task.name, model]) for model in sheet.models))
    return Bests(value, drawn, tuple(counts))
