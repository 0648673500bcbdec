"""The tables of a sheet: what they hold, as records for machines and as rows for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlgym.report.area import Areas
from mlgym.report.bootstrap import Estimate, mean_estimate, share
from mlgym.report.cells import best_estimate
from mlgym.report.compare import Pair
from mlgym.report.entries import BASELINE, Entry, Sheet, TaskFacts, Variant

NOTHING = "–"
TITLES: Mapping[Variant, str] = {
    "best_attempt": "Best Attempt",
    "best_submission": "Best Submission",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table. The first `stub` columns name a row. `records` hold the numbers as they are."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Mapping[str, Any], ...]
    note: str = ""
    stub: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table: what it is, and words to put behind it."""

    found: Estimate
    after: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def shown(found: Estimate, number: Callable[[float], str] = lambda value: f"{value:.4g}") -> str:
    """A number with its interval, or the words that there is none."""
    if found.value is None:
        return NOTHING
    if found.low is None or found.high is None:
        return f"{number(found.value)} (no interval)"
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def label(sheet: Sheet, variant: Variant) -> str:
    """What a variant is called, with k where it is one for all."""
    counts = {len(runs) for runs in sheet.judged.values()} - {0}
    k = counts.pop() if len(counts) == 1 else "k"
    split = ""
    if sheet.source == "runs":
        split = " (validation)" if variant == "best_attempt" else " (test)"
    return f"{TITLES[variant]}@{k}{split}"


def best_table(sheet: Sheet, variant: Variant) -> Table:
    """The best over k of every task and model."""

    def cell(task: TaskFacts, model: str) -> Cell:
        count = len(sheet.judged[task.name, model])
        found = best_estimate(sheet, task, model, variant)
        return Cell(found, f" k={count}", {"k": count})

    note = "The best over the k runs of each cell, with its 95 % interval."
    return _by_task(sheet, variant, label(sheet, variant), note, cell)


def mean_table(sheet: Sheet, variant: Variant = "best_submission") -> Table:
    """The mean score of every task and model, over the runs that have one."""

    def cell(task: TaskFacts, model: str) -> Cell:
        values = sheet.scores(task.name, model, variant)
        scored = int(np.isfinite(values).sum())
        found = mean_estimate(values)
        facts = {"scored": scored, "runs": len(values)}
        return Cell(found, f" {scored} of {len(values)}", facts)

    title = "Mean score on the test split" if sheet.source == "runs" else "Mean last score"
    note = "The mean over the runs with a score, and how many of the judged runs have one."
    return _by_task(sheet, variant, title, note, cell, "mean_score")


def _by_task(
    sheet: Sheet,
    variant: Variant,
    title: str,
    note: str,
    cell: Callable[[TaskFacts, str], Cell],
    name: str = "",
) -> Table:
    head = ("task", "metric", BASELINE, *sheet.models)
    # A validation score has no baseline on its own split: the task's is one of the test split.
    apart = sheet.source == "runs" and variant == "best_attempt"
    rows: list[tuple[str, ...]] = []
    records: list[Mapping[str, Any]] = []
    for task in sheet.tasks:
        arrow = "higher" if task.goal == "maximize" else "lower"
        start = NOTHING if apart or task.baseline is None else f"{task.baseline:.4g}"
        row = [task.name, f"{task.metric} ({arrow} is better)", start]
        for model in sheet.models:
            made = cell(task, model)
            facts = {"task": task.name, "model": model, "metric": task.metric}
            records.append({**facts, **made.found.to_json(), **made.facts})
            row.append(shown(made.found) + made.after)
        rows.append(tuple(row))
    return Table(name or variant, title, head, tuple(rows), tuple(records), note, stub=2)


def task_table(sheet: Sheet) -> Table:
    """What the tasks measure."""
    records = [
        {
            "task": task.name,
            "metric": task.metric,
            "goal": task.goal,
            "baseline": task.baseline,
            "target": task.target,
        }
        for task in sheet.tasks
    ]
    return _plain("tasks", "Tasks", records)


def aup_table(sheet: Sheet, found: Areas) -> Table:
    """The area under the performance profile of every method."""
    names = (*sheet.models, BASELINE)
    variants = sheet.ranked
    rows = tuple(
        (name, *(shown(found.estimates[variant, name]) for variant in variants)) for name in names
    )
    head = ("model", *(label(sheet, variant) for variant in variants))
    title = f"AUP ({found.definition})"
    return Table("aup", title, head, rows, tuple(found.to_json()))


def rank_table(ranks: Mapping[Variant, Mapping[str, Estimate]], sheet: Sheet) -> Table:
    """Mean ranks."""
    variants = tuple(ranks)
    names = (*sheet.models, BASELINE)
    rows = tuple((name, *(shown(ranks[each][name]) for each in variants)) for name in names)
    records = tuple(
        {"model": name, "variant": each, **ranks[each][name].to_json()}
        for each in variants
        for name in names
    )
    head = ("model", *(label(sheet, variant) for variant in variants))
    note = "1 is the best; ties share; methods without a score share the last ranks."
    return Table("ranks", "Mean rank over tasks", head, rows, records, note)


def difference_table(pairs: Sequence[Pair]) -> Table:
    """Paired differences."""
    rows = tuple(
        (
            pair.first,
            pair.second,
            TITLES[pair.variant],
            shown(pair.difference),
            f"{pair.pairs} on {pair.tasks} tasks",
            pair.verdict,
        )
        for pair in pairs
    )
    note = (
        "How much further the first comes, of the way from baseline to target, on the runs of both"
        " with the same task and seed. Each interval holds for itself: of many, some leave out 0 by"
        " chance."
    )
    head = ("first", "second", "of", "difference", "pairs", "verdict")
    records = tuple(pair.to_json() for pair in pairs)
    return Table("differences", "Paired differences", head, rows, records, note, stub=2)


def exit_table(sheet: Sheet) -> Table:
    """Why runs ended, with the share of each reason; failures of the infrastructure stand apart."""
    counts: dict[str, Counter[str]] = {model: Counter() for model in sheet.models}
    for entry in sheet.entries:
        counts[entry.model][_ending(entry)] += 1
    reasons = sorted({reason for found in counts.values() for reason in found})
    rows: list[tuple[str, ...]] = []
    for model, found in counts.items():
        total = found.total()
        cells = (f"{found[each]} ({_percent(share(found[each], total))})" for each in reasons)
        rows.append((model, str(total), *cells))
    note = "Runs by the reason of their end, with the share of all runs of the model."
    head = ("model", "runs", *reasons)
    records = tuple(_exit_records(sheet, reasons))
    return Table("exit_reasons", "Exit reasons", head, tuple(rows), records, note, stub=2)


def _exit_records(sheet: Sheet, reasons: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    found = Counter((each.task, each.model, _ending(each)) for each in sheet.entries)
    totals = Counter((each.task, each.model) for each in sheet.entries)
    for (task, model), total in sorted(totals.items()):
        for reason in reasons:
            count = found[task, model, reason]
            part = share(count, total).to_json()
            yield {"task": task, "model": model, "exit_reason": reason, "count": count, **part}


def _ending(entry: Entry) -> str:
    run = entry.run
    if run is None or run.exit_reason is None:
        return "not ended"
    void = run.status == "infrastructure_failure"
    return f"{run.exit_reason} (infrastructure)" if void else run.exit_reason


def _percent(found: Estimate) -> str:
    return shown(found, lambda value: f"{100 * value:.0f}") + " %"


def usage_table(sheet: Sheet) -> Table:
    """Steps, cost and time of a judged run, by model and task."""
    rows: list[tuple[str, ...]] = []
    records: list[Mapping[str, Any]] = []
    for model in sheet.models:
        for task in sheet.tasks:
            runs = [entry.run for entry in sheet.judged[task.name, model] if entry.run]
            if not runs:
                continue
            costs = [each.usage.cost_usd for each in runs]
            unknown = sum(cost is None for cost in costs)
            found = {
                "steps": _mean([float(each.steps) for each in runs]),
                "cost_usd": _mean([c for c in costs if c is not None]),
                "duration_s": _mean([each.duration_s for each in runs]),
                "tokens": _mean([float(each.usage.total_tokens) for each in runs]),
            }
            head = {"task": task.name, "model": model, "runs": len(runs), "cost_unknown": unknown}
            flat = {
                f"{name}{end}": value
                for name, each in found.items()
                for end, value in zip(("", "_low", "_high"), each.to_json().values(), strict=True)
            }
            records.append({**head, **flat})
            cost = shown(found["cost_usd"]) + (f", unknown for {unknown}" if unknown else "")
            words = [shown(found[name]) for name in ("steps", "duration_s", "tokens")]
            rows.append((model, task.name, str(len(runs)), words[0], cost, *words[1:]))
    note = "Means over the judged runs. An unknown price is left out, never counted as 0."
    head = ("model", "task", "runs", "steps", "cost in USD", "time in s", "tokens")
    title = "Steps, cost and time of a run"
    return Table("usage", title, head, tuple(rows), tuple(records), note, stub=2)


def _mean(values: Sequence[float]) -> Estimate:
    """The mean of what cannot be negative."""
    return mean_estimate(np.array(values, dtype=np.float64), (0.0, math.inf))


def _plain(name: str, title: str, records: Sequence[Mapping[str, Any]]) -> Table:
    head = tuple(records[0]) if records else ()
    rows = tuple(tuple(_word(value) for value in record.values()) for record in records)
    return Table(name, title, head, rows, tuple(records))


def _word(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:.6g}" if isinstance(value, float) else str(value)
