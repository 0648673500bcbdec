"""What a report is made of, wherever it comes from: entries, one a run, on sheets.

A sheet never mixes what must not be compared: one data profile, one data seed, one version of each
task. A *place* is a score on its task's scale: 0 at the baseline, 1 at the target, not clipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlgym.runs.reading import RecordedRun

Array = NDArray[np.float64]
Goal = Literal["maximize", "minimize"]
Variant = Literal["best_attempt", "best_submission"]
Source = Literal["runs", "scores"]
VARIANTS: tuple[Variant, Variant] = ("best_attempt", "best_submission")
BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task of a sheet. `baseline` and `target` are values of `metric`; None where unknown."""

    name: str
    metric: str
    goal: Goal
    baseline: float | None
    target: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One run. `scores` and `places` by variant; None where there is no valid score.

    For our own runs a best attempt is a score on the validation split, so it is never compared with
    a best submission, which is one on the test split. `run` is None for other people's results.
    """

    task: str
    model: str
    seed: int
    scores: Mapping[Variant, float | None]
    places: Mapping[Variant, float | None]
    run: RecordedRun | None = None

    @property
    def is_judged(self) -> bool:
        return self.run is None or self.run.is_judged


@dataclass(frozen=True)
class Sheet:
    """Runs that may be compared. `notes` are sentences that a reader must know."""

    title: str
    source: Source
    tasks: tuple[TaskFacts, ...]
    models: tuple[str, ...]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    profile: str | None = None
    data_seed: int | None = None

    @cached_property
    def judged(self) -> Mapping[tuple[str, str], tuple[Entry, ...]]:
        """The judged runs of every (task, model), in the order of their seeds."""
        cells: dict[tuple[str, str], list[Entry]] = {
            (task.name, model): [] for task in self.tasks for model in self.models
        }
        for entry in sorted(self.entries, key=lambda each: each.seed):
            if entry.is_judged:
                cells[entry.task, entry.model].append(entry)
        return {cell: tuple(found) for cell, found in cells.items()}

    @cached_property
    def void(self) -> frozenset[tuple[str, str]]:
        """The (task, model) that were tried, and of which no try can be judged: no evidence."""
        tried = {(entry.task, entry.model) for entry in self.entries}
        return frozenset(cell for cell in tried if not self.judged[cell])

    @cached_property
    def untried(self) -> tuple[tuple[str, str], ...]:
        """The (task, model) of which there is no run at all."""
        tried = {(entry.task, entry.model) for entry in self.entries}
        return tuple(cell for cell in self.judged if cell not in tried)

    @property
    def ranked(self) -> tuple[Variant, ...]:
        """The variants that enter AUP: of our own runs the one with test scores only."""
        return VARIANTS if self.source == "scores" else ("best_submission",)

    def scores(self, task: str, model: str, variant: Variant) -> Array:
        """The scores of the judged runs, NaN where there is none."""
        return _array([entry.scores[variant] for entry in self.judged[task, model]])

    def places(self, task: str, model: str, variant: Variant) -> Array:
        """The places of the judged runs, NaN where there is no score."""
        return _array([entry.places[variant] for entry in self.judged[task, model]])


def _array(values: list[float | None]) -> Array:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def some(names: list[str], most: int = 12) -> str:
    """Names in a sentence, not more than a reader can take."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
