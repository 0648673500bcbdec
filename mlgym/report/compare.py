"""Compares models: mean ranks, and the difference of every two of them on the runs both have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mlgym.report.bootstrap import Estimate, estimate, resampled_means
from mlgym.report.cells import best_scores
from mlgym.report.entries import BASELINE, Array, Sheet, Variant

ENOUGH = 3
"""With fewer runs in a cell nothing is claimed."""


def mean_ranks(sheet: Sheet, variant: Variant) -> dict[str, Estimate]:
    """The mean over tasks of each method's rank by its best over k: 1 is the best, ties share.

    The baseline is ranked too. Methods without a score share the last ranks. A task is left out
    where a model's runs cannot be judged.
    """
    kept = [
        row
        for row, task in enumerate(sheet.tasks)
        if not any((task.name, model) in sheet.void for model in sheet.models)
    ]
    names = (*sheet.models, BASELINE)
    if not kept:
        return {name: Estimate(None) for name in names}
    tasks = [sheet.tasks[row] for row in kept]
    bests = best_scores(sheet, variant).of_tasks(kept)
    signs = np.array([1.0 if task.goal == "maximize" else -1.0 for task in tasks])
    starts = np.array([np.nan if task.baseline is None else task.baseline for task in tasks])
    value, parts = (_ranks(each, starts, signs) for each in (bests.value, bests.draws))
    counts = [[n for n in row if n] for row in bests.counts]
    return {
        name: estimate(
            float(value[:, column].mean()),
            parts[:, :, column],
            [min(row, default=0) for row in counts],
            (1.0, float(len(names))),
        )
        for column, name in enumerate(names)
    }


def _ranks(scores: Array, starts: Array, signs: Array) -> Array:
    """Ranks (..., tasks, methods), the baseline the last method; ties share the mean rank."""
    shown = np.broadcast_to(starts[:, None], (*scores.shape[:-1], 1))
    every = np.concatenate([scores, shown], axis=-1) * signs[:, None]
    every = np.where(np.isnan(every), -np.inf, every)
    better = (every[..., None, :] > every[..., :, None]).sum(axis=-1)
    equal = (every[..., None, :] == every[..., :, None]).sum(axis=-1)
    return better + (equal + 1) / 2


@dataclass(frozen=True, slots=True)
class Pair:
    """How much further `first` comes than `second`, of the way from baseline to target.

    The mean over tasks of the mean over `pairs` of runs on the same task with the same seed, a run
    without a score at 0. `verdict` is what may be said of it.
    """

    first: str
    second: str
    variant: Variant
    difference: Estimate
    tasks: int
    pairs: int
    verdict: str

    def to_json(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "second": self.second,
            "variant": self.variant,
            **self.difference.to_json(),
            "tasks": self.tasks,
            "pairs": self.pairs,
            "verdict": self.verdict,
        }


def differences(sheet: Sheet, variant: Variant, tasks: list[str]) -> list[Pair]:
    """Every two models of the sheet on those of `tasks` that both have runs on."""
    ways = {name: _ways(sheet, name, variant) for name in sheet.models}
    return [
        _pair(first, second, variant, tasks, ways[first], ways[second])
        for first, second in combinations(sheet.models, 2)
    ]


_Ways = Mapping[tuple[str, int], float]


def _ways(sheet: Sheet, model: str, variant: Variant) -> _Ways:
    """How far each (task, seed) came, in [0, 1]; the mean where a seed was run several times."""
    found: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for task in sheet.tasks:
        for entry in sheet.judged[task.name, model]:
            place = entry.places[variant]
            way = 0.0 if place is None or place != place else min(1.0, max(0.0, place))
            found[task.name, entry.seed].append(way)
    return {key: sum(ways) / len(ways) for key, ways in found.items()}


def _pair(
    first: str, second: str, variant: Variant, tasks: list[str], ours: _Ways, theirs: _Ways
) -> Pair:
    strata: list[Array] = []
    parts: list[Array] = []
    for task in tasks:
        common = sorted(key for key in ours if key[0] == task and key in theirs)
        if common:
            values = np.array([ours[key] - theirs[key] for key in common])
            strata.append(values)
            parts.append(resampled_means(values, task, first, second))
    if not strata:
        words = "no run on the same task with the same seed"
        return Pair(first, second, variant, Estimate(None), 0, 0, words)
    counts = [len(values) for values in strata]
    value = float(np.mean([values.mean() for values in strata]))
    found = estimate(value, np.stack(parts, axis=1), counts, (-1.0, 1.0))
    verdict = _verdict(first, second, found, counts)
    return Pair(first, second, variant, found, len(strata), sum(counts), verdict)


def _verdict(first: str, second: str, found: Estimate, counts: list[int]) -> str:
    if min(counts) < ENOUGH or found.low is None or found.high is None:
        return "too few runs for a claim"
    if found.low > 0:
        return f"{first} is ahead"
    return f"{second} is ahead" if found.high < 0 else "no difference is shown"
