"""The two definitions of AUP, the area under a performance profile. Pure functions of arrays.

Arrays have the shape (..., tasks, methods), the best over the runs of each cell, NaN where there is
no score; leading dimensions are resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlgym.report.entries import Array, Goal, Variant

PENALTY = 1.05
"""What the worst feasible ratio is multiplied with, for a method that has none."""
TAUS = 500
# A hair less, so that a product of decimals does not climb over a whole number.
_HAIR = 1e-9


def strict_gap(places: Array) -> Array:
    """The part of the way from baseline to target that is missing: clipped to [0, 1], NaN is 1."""
    return np.where(np.isnan(places), 1.0, np.clip(1.0 - places, 0.0, 1.0))


def strict(places: Array) -> Array:
    """The exact area under the profile of the gaps on [0, 1], by task: the mean is the AUP."""
    return 1.0 - strict_gap(places)


@dataclass(frozen=True, slots=True)
class Ratios:
    """How many times worse than the best each method is, and the worst that is feasible by task.

    `ratio` (..., tasks, methods) is at least 1; `worst` (..., tasks). Both are NaN for a task on
    which no method is feasible.
    """

    ratio: Array
    worst: Array


def paper_ratios(scores: Array, baselines: Array, goals: Sequence[Goal]) -> Ratios:
    """The published ratios; the baselines, of shape (tasks,), are ranked as the last method.

    A method is infeasible on a task where its score is missing, negative or worse than the
    baseline, or infinitely worse than the best feasible one (a zero beside it, which no ratio can
    express). An infeasible one gets 1.05 times the worst feasible ratio of that task.
    """
    lowered = np.array([goal == "minimize" for goal in goals], dtype=bool)[:, None]
    start = np.broadcast_to(baselines[:, None], (*scores.shape[:-1], 1))
    every = np.concatenate([scores, start], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        worse = np.where(lowered, every > start, every < start)
        feasible = (every >= 0) & np.isfinite(every) & ~worse
        least: Array = np.where(feasible, every, np.inf).min(axis=-1, keepdims=True)
        most: Array = np.where(feasible, every, -np.inf).max(axis=-1, keepdims=True)
        best: Array = np.where(lowered, least, most)
        apart: Array = np.where(lowered, every / best, best / every)
        ratio: Array = np.where(every == best, 1.0, apart)
    feasible &= np.isfinite(ratio)
    worst = np.where(feasible, np.maximum(ratio, 1.0), -np.inf).max(axis=-1)
    worst = np.where(np.isfinite(worst), worst, np.nan)
    return Ratios(np.where(feasible, np.maximum(ratio, 1.0), PENALTY * worst[..., None]), worst)


def tau_max(ratios: Sequence[Ratios]) -> Array:
    """Where the axis of the profiles ends, for the ratios of all variants together: shape (...)."""
    ends = np.stack([np.ceil(PENALTY * each.worst - _HAIR) for each in ratios], axis=-1)
    highest = np.where(np.isnan(ends), 1.0, ends).max(axis=(-2, -1))
    return np.ceil(10 * np.log10(highest) - _HAIR) / 10


def paper_profile(ratios: Ratios, end: float) -> tuple[Array, Array]:
    """The 500 tau, and for each (500, methods) the share of tasks with log10(ratio) <= tau."""
    taus = np.linspace(0.0, end, TAUS)
    logs = np.log10(ratios.ratio)
    return taus, (logs[None] <= taus[:, None, None]).mean(axis=1)


def paper(ratios: Ratios, ends: Array) -> Array:
    """What each task adds to each method's area (..., tasks, methods): the mean is the AUP.

    The left Riemann sum over the 500 tau, not normalised. `ends` has the shape (...): tau_max.
    """
    logs = np.log10(ratios.ratio)
    areas = np.empty_like(logs)
    # A resample has an axis of its own, but there are few of them: multiples of 0.1.
    for end in np.unique(ends):
        at = ends == end
        taus = np.linspace(0.0, float(end), TAUS)
        # The first tau at which the task counts; the last of the 500 begins no interval.
        first = np.searchsorted(taus, logs[at], side="left")
        areas[at] = np.maximum(TAUS - 1 - first, 0) * (float(end) / (TAUS - 1))
    return areas


def strict_profile(places: Array, points: int = 201) -> tuple[Array, Array]:
    """Gaps in [0, 1], and for each (points, methods) the share of tasks with at most that gap."""
    grid = np.linspace(0.0, 1.0, points)
    return grid, (strict_gap(places)[None] <= grid[:, None, None]).mean(axis=1)


def paper_areas(
    scores: Mapping[Variant, Array], baselines: Array, goals: Sequence[Goal]
) -> Mapping[Variant, Array]:
    """`paper` for every variant on their common axis."""
    ratios: dict[Variant, Ratios] = {
        name: paper_ratios(each, baselines, goals) for name, each in scores.items()
    }
    ends = tau_max(list(ratios.values()))
    areas: dict[Variant, Array] = {name: paper(each, ends) for name, each in ratios.items()}
    return areas
