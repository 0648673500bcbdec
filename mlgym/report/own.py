"""Sorts our own runs onto sheets: what must not be compared never lies on one.

The first sheet is the one to report: data seed 0, which alone is comparable, and the most runs.
Every other one is reported apart.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlgym import catalog
from mlgym.errors import ConfigError, MLGymError
from mlgym.report.entries import BASELINE, Entry, Goal, Sheet, TaskFacts, Variant, some
from mlgym.runs.reading import FoundRuns, RecordedRun, RecordedScore

if TYPE_CHECKING:
    from mlgym.task.spec import TaskSpec

_Key = tuple[str, int, int]  # profile, data seed, how many newer versions of the task there are


def own_sheets(found: FoundRuns) -> list[Sheet]:
    """The runs as sheets, the one to report first.

    Raises:
        ConfigError: there is no run.
    """
    if not found.runs:
        told = f": {some(list(found.unreadable), 3)}" if found.unreadable else ""
        raise ConfigError(f"no run was found there (a run folder holds run.json){told}")
    labels = model_labels(found.runs)
    groups: defaultdict[_Key, list[RecordedRun]] = defaultdict(list)
    newer = _newer_versions(found.runs)
    for run in found.runs:
        age = newer[run.profile, run.data_seed, run.task][run.task_version]
        groups[run.profile, run.data_seed, age].append(run)
    ordered = sorted(groups, key=lambda key: _rank(key, groups[key]))
    return [_sheet(key, groups[key], labels) for key in ordered]


def _rank(key: _Key, runs: Sequence[RecordedRun]) -> tuple[bool, int, int, str, int]:
    profile, data_seed, age = key
    return data_seed != 0, age, -sum(run.is_judged for run in runs), profile, data_seed


def _newer_versions(
    runs: Iterable[RecordedRun],
) -> dict[tuple[str, int, str], dict[int, int]]:
    """For each (profile, data seed, task): how many newer versions each version has."""
    versions: defaultdict[tuple[str, int, str], set[int]] = defaultdict(set)
    for run in runs:
        versions[run.profile, run.data_seed, run.task].add(run.task_version)
    return {
        key: {version: age for age, version in enumerate(sorted(found, reverse=True))}
        for key, found in versions.items()
    }


def model_labels(runs: Iterable[RecordedRun]) -> dict[tuple[str, str | None], str]:
    """What each (agent, model) is called: the model; with the agent where that is not one alone."""
    pairs = {(run.agent, run.model) for run in runs}
    agents = Counter(model for _, model in pairs)
    labels: dict[tuple[str, str | None], str] = {}
    for agent, model in sorted(pairs, key=str):
        label = model or agent
        if model is not None and agents[model] > 1:
            label = f"{model} ({agent})"
        if label == BASELINE or label in labels.values():
            label = f"{label} (agent {agent})" if model else f"{label} (agent)"
        labels[agent, model] = label
    return labels


def _sheet(
    key: _Key, runs: Sequence[RecordedRun], labels: dict[tuple[str, str | None], str]
) -> Sheet:
    profile, data_seed, age = key
    by_task: defaultdict[str, list[RecordedRun]] = defaultdict(list)
    for run in runs:
        by_task[run.task].append(run)
    notes: list[str] = []
    tasks = tuple(_facts(name, found, notes) for name, found in sorted(by_task.items()))
    metrics = {task.name: task.metric for task in tasks}
    entries = tuple(
        _entry(run, labels[run.agent, run.model], metrics[run.task])
        for run in sorted(runs, key=lambda each: (each.task, each.seed, str(each.path)))
    )
    models = tuple(sorted({entry.model for entry in entries}))
    title = f"{profile} data, data seed {data_seed}"
    if age:
        versions = ", ".join(f"{name} v{found[0].task_version}" for name, found in by_task.items())
        title += f", earlier versions: {versions}"
    if data_seed != 0:
        notes.append(f"Only data seed 0 is comparable: these {len(runs)} runs are for training.")
    return Sheet(title, "runs", tasks, models, entries, tuple(notes), profile, data_seed)


def _entry(run: RecordedRun, label: str, metric: str) -> Entry:
    found: dict[Variant, RecordedScore | None] = {
        "best_attempt": run.best_validation if run.is_judged else None,
        "best_submission": run.score if run.is_judged else None,
    }
    return Entry(
        run.task,
        label,
        run.seed,
        scores={
            name: score.value if score and score.primary == metric else None
            for name, score in found.items()
        },
        places={
            name: score.normalized if score and score.primary == metric else None
            for name, score in found.items()
        },
        run=run,
    )


def _facts(name: str, runs: Sequence[RecordedRun], notes: list[str]) -> TaskFacts:
    scores = [each for run in runs for each in (run.score, run.best_validation) if each]
    spec = None if scores else _spec(name)
    metric = scores[0].primary if scores else spec.primary.name if spec else "score"
    baselines = {run.baseline[metric] for run in runs if metric in run.baseline}
    baseline = min(baselines) if len(baselines) == 1 else None
    _differing(name, runs, baselines, notes)
    goal = _goal(scores, baseline)
    if goal is None:
        spec = spec or _spec(name)
        goal = spec.primary.goal if spec else "maximize"
        if spec is None:
            notes.append(f"{name}: no score tells whether it is to be maximized; taken as if so.")
    return TaskFacts(name, metric, goal, baseline, _target(scores, baseline))


def _differing(
    name: str, runs: Sequence[RecordedRun], baselines: set[float], notes: list[str]
) -> None:
    if len(baselines) > 1:
        notes.append(f"{name}: its runs were made with {len(baselines)} baselines; none is shown.")
    if (states := len({run.task_sha256 for run in runs})) > 1:
        notes.append(
            f"{name}: its files were changed between runs ({states} states of one version): compare"
            " with care."
        )
    if len({run.max_steps for run in runs}) > 1:
        notes.append(f"{name}: its runs had different budgets of steps: compare with care.")


def _goal(scores: Sequence[RecordedScore], baseline: float | None) -> Goal | None:
    """The goal, as the records show it: on which side of the baseline a positive place lies."""
    if baseline is None:
        return None
    for score in scores:
        place, way = score.normalized, score.value - baseline
        if place is not None and math.isfinite(place) and place != 0 and way != 0:
            return "maximize" if way * place > 0 else "minimize"
    return None


def _target(scores: Sequence[RecordedScore], baseline: float | None) -> float | None:
    """The target, as the records show it: None where they do not, or the scale is not linear."""
    if baseline is None:
        return None
    known = [each for each in scores if each.normalized and math.isfinite(each.normalized)]
    ends = [baseline + (each.value - baseline) / (each.normalized or 1.0) for each in known]
    if len({each.value for each in known}) < 2:
        return None
    close = all(math.isclose(end, ends[0], rel_tol=1e-6, abs_tol=1e-9) for end in ends)
    return ends[0] if close else None


def _spec(name: str) -> TaskSpec | None:
    # Only where no record tells: loading it costs as much as reading a thousand records.
    from mlgym.task.spec import load_task

    try:
        return load_task(catalog.resolve("tasks", name)).spec
    except MLGymError:
        return None
