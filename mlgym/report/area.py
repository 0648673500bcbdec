"""AUP of a sheet: which tasks enter, what each method reaches on them, how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mlgym.report import aup
from mlgym.report.bootstrap import Estimate, estimate
from mlgym.report.cells import Bests, best_places, best_scores
from mlgym.report.entries import BASELINE, Array, Goal, Sheet, TaskFacts, Variant, some

Definition = Literal["strict", "paper"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A performance profile: `share` (points, methods) of tasks at or below each point of `at`."""

    at: Array
    share: Array
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Areas:
    """AUP by (variant, method), the profiles by variant, and what was left out and why."""

    definition: Definition
    estimates: Mapping[tuple[Variant, str], Estimate]
    profiles: Mapping[Variant, Profile]
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"model": name, "definition": self.definition, "variant": variant, **found.to_json()}
            for (variant, name), found in self.estimates.items()
        ]


def areas(sheet: Sheet, definition: Definition) -> Areas:
    """AUP of every model and of the baseline."""
    notes: list[str] = []
    kept = [row for row, task in enumerate(sheet.tasks) if _enters(sheet, task, definition, notes)]
    if not kept:
        notes.append("No task is left for AUP.")
        return Areas(definition, _nothing(sheet), {}, tuple(notes))
    made = _strict if definition == "strict" else _paper
    return made(sheet, kept, notes)


def _enters(sheet: Sheet, task: TaskFacts, definition: Definition, notes: list[str]) -> bool:
    void = [model for model in sheet.models if (task.name, model) in sheet.void]
    why = None
    if void:
        why = f"no run of {some(void)} on it can be judged"
    elif definition == "strict":
        why = _has_no_scale(sheet, task)
    if why:
        notes.append(f"AUP leaves out {task.name}: {why}.")
    return why is None


def _has_no_scale(sheet: Sheet, task: TaskFacts) -> str | None:
    if sheet.source == "scores":
        if task.baseline is None:
            return "it has no baseline"
        return "its target is its baseline" if task.target == task.baseline else None
    if task.target is not None and task.target == task.baseline:
        return "its target is its baseline"
    unknown = any(
        entry.scores[variant] is not None and entry.places[variant] is None
        for entry in sheet.entries
        for variant in sheet.ranked
        if entry.task == task.name
    )
    return "its records name no target" if unknown else None


def _nothing(sheet: Sheet) -> dict[tuple[Variant, str], Estimate]:
    return {
        (variant, name): Estimate(None)
        for variant in sheet.ranked
        for name in (*sheet.models, BASELINE)
    }


def _strict(sheet: Sheet, kept: Sequence[int], notes: list[str]) -> Areas:
    estimates: dict[tuple[Variant, str], Estimate] = {}
    profiles: dict[Variant, Profile] = {}
    for variant in sheet.ranked:
        bests = best_places(sheet, variant).of_tasks(kept)
        value = aup.strict(bests.value)
        _estimate_models(sheet, variant, bests, value, aup.strict(bests.draws), 1.0, estimates)
        # The baseline lies at the baseline: nothing about it is by chance.
        estimates[variant, BASELINE] = Estimate(0.0, 0.0, 0.0)
        with_start = np.concatenate([bests.value, np.zeros((len(kept), 1))], axis=1)
        profiles[variant] = Profile(*aup.strict_profile(with_start), (*sheet.models, BASELINE))
    return Areas("strict", estimates, profiles, tuple(notes))


def _paper(sheet: Sheet, kept: Sequence[int], notes: list[str]) -> Areas:
    tasks = [sheet.tasks[row] for row in kept]
    goals: list[Goal] = [task.goal for task in tasks]
    starts = np.array([np.nan if task.baseline is None else task.baseline for task in tasks])
    bests: dict[Variant, Bests] = {
        variant: best_scores(sheet, variant).of_tasks(kept) for variant in sheet.ranked
    }
    ratios: dict[Variant, aup.Ratios] = {
        name: aup.paper_ratios(each.value, starts, goals) for name, each in bests.items()
    }
    end = aup.tau_max(list(ratios.values()))
    drawn = aup.paper_areas({name: each.draws for name, each in bests.items()}, starts, goals)
    estimates: dict[tuple[Variant, str], Estimate] = {}
    profiles: dict[Variant, Profile] = {}
    for variant, found in ratios.items():
        ranked = np.flatnonzero(~np.isnan(found.worst))
        for row in np.flatnonzero(np.isnan(found.worst)):
            why = "no method is feasible on it"
            notes.append(f"AUP of {variant} leaves out {tasks[row].name}: {why}.")
        if not len(ranked):
            estimates |= {key: none for key, none in _nothing(sheet).items() if key[0] == variant}
            continue
        value, parts = aup.paper(found, end)[ranked], drawn[variant][:, ranked]
        inner = bests[variant].of_tasks(ranked.tolist())
        most = float(end)
        _estimate_models(sheet, variant, inner, value, parts, most, estimates)
        # The baseline itself is fixed; that against which it is held is not.
        counts = [min([n for n in row if n] or [0]) for row in inner.counts]
        estimates[variant, BASELINE] = estimate(
            float(value[:, -1].mean()), parts[:, :, -1], counts, (0.0, most)
        )
        kept_ratios = aup.Ratios(found.ratio[ranked], found.worst[ranked])
        at, share = aup.paper_profile(kept_ratios, most)
        profiles[variant] = Profile(at, share, (*sheet.models, BASELINE))
    return Areas("paper", estimates, profiles, tuple(notes))


def _estimate_models(
    sheet: Sheet,
    variant: Variant,
    bests: Bests,
    value: Array,
    parts: Array,
    most: float,
    estimates: dict[tuple[Variant, str], Estimate],
) -> None:
    for column, name in enumerate(sheet.models):
        # A model that was never tried on a task is without a score there in every resample too.
        counts = [max(count, 2) if count == 0 else count for count in bests.counts_of(column)]
        estimates[variant, name] = estimate(
            float(value[:, column].mean()), parts[:, :, column], counts, (0.0, most)
        )
