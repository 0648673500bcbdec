"""What a reader must know before believing a sheet: what is missing, too little, or left apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mlgym.report.compare import ENOUGH
from mlgym.report.entries import Sheet, some


def sheet_notes(sheet: Sheet) -> list[str]:
    """Sentences about the runs of a sheet, the gravest first."""
    return [*_void(sheet), *_untried(sheet), *_few(sheet), *_uneven(sheet), *sheet.notes]


def apart_note(apart: Sequence[Sheet]) -> str | None:
    """What lies on other sheets, None where nothing does."""
    if not apart:
        return None
    told = "; ".join(f"{sheet.title} ({len(sheet.entries)} runs)" for sheet in apart)
    return f"Left apart, as it cannot be compared with these runs: {told}."


def _void(sheet: Sheet) -> Iterator[str]:
    runs = [entry.run for entry in sheet.entries if entry.run]
    lost = [run for run in runs if run.ended and not run.is_judged]
    if lost:
        reasons = Counter(run.exit_reason for run in lost)
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=str))
        yield (
            f"{len(lost)} of {len(runs)} runs were lost to failures of the infrastructure ({told})."
            " They are counted apart and enter no score."
        )
    if going := sum(not run.ended for run in runs):
        told = f"{going} of {len(runs)} runs have not ended: killed, or still at work."
        yield f"{told} They enter no score."
    if sheet.void:
        yield f"No run can be judged of: {_cells(sorted(sheet.void))}."


def _untried(sheet: Sheet) -> Iterator[str]:
    if sheet.untried:
        told = f"There is no run at all of: {_cells(sheet.untried)}."
        yield f"{told} AUP and ranks take that as no score."


def _few(sheet: Sheet) -> Iterator[str]:
    counts = {cell: len(runs) for cell, runs in sheet.judged.items() if runs}
    few = [cell for cell, count in counts.items() if count < ENOUGH]
    if few:
        yield f"Too few runs for a claim, fewer than {ENOUGH}: {_cells(few)}."
    if any(count == 1 for count in counts.values()):
        yield "Of a single run nothing is known of its spread: such numbers have no interval."
    if len(sheet.tasks) == 1:
        yield "All of this is one task: nothing follows for others."


def _uneven(sheet: Sheet) -> Iterator[str]:
    counts = {len(runs) for runs in sheet.judged.values() if runs}
    if len(counts) > 1:
        yield (
            f"Cells hold from {min(counts)} to {max(counts)} runs: the best over k favours those"
            " with more."
        )
    seeds = Counter((entry.task, entry.model, entry.seed) for entry in sheet.entries)
    twice = sum(count > 1 for count in seeds.values())
    if twice:
        told = f"{twice} times a task, a model and a seed come more than once"
        yield f"{told}: each is a run of its own."


def _cells(cells: Iterable[tuple[str, str]]) -> str:
    return some([f"{model} on {task}" for task, model in cells])
