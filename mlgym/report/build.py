"""Makes the report of a sheet: every table, every figure, every warning, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgym.report.area import Areas, Definition, areas
from mlgym.report.bootstrap import LEVEL, RESAMPLES, SEED, Estimate
from mlgym.report.compare import differences, mean_ranks
from mlgym.report.curves import score_by_step
from mlgym.report.entries import Sheet, Variant
from mlgym.report.notes import apart_note, sheet_notes
from mlgym.report.plots import Plot, cost_plot, profile_plots, step_plot
from mlgym.report.tables import (
    Table,
    aup_table,
    best_table,
    difference_table,
    exit_table,
    mean_table,
    rank_table,
    task_table,
    usage_table,
)


@dataclass(frozen=True, slots=True)
class Report:
    """One sheet's report. `apart` are those of what cannot be compared with it."""

    sheet: Sheet
    areas: Areas
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    apart: tuple[Report, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `report.json` holds."""
        sheet = self.sheet
        return {
            "title": sheet.title,
            "source": sheet.source,
            "profile": sheet.profile,
            "data_seed": sheet.data_seed,
            "definition": self.areas.definition,
            "bootstrap": {"level": LEVEL, "resamples": RESAMPLES, "seed": SEED},
            "models": list(sheet.models),
            "runs": _run_counts(sheet),
            "notes": list(self.notes),
            **{table.name: [dict(record) for record in table.records] for table in self.tables},
            "apart": [each.to_json() for each in self.apart],
        }


def build(
    sheets: Sequence[Sheet],
    definition: Definition = "strict",
    notes: Sequence[str] = (),
    *,
    plots: bool = True,
) -> Report:
    """The report of the first sheet, those of the others in it. `notes` go before its own."""
    first, *others = sheets
    apart = tuple(_one(each, definition, (), (), plots) for each in others)
    told = apart_note(others)
    return _one(first, definition, [*([told] if told else []), *notes], apart, plots)


def _one(
    sheet: Sheet,
    definition: Definition,
    notes: Sequence[str],
    apart: tuple[Report, ...],
    plots: bool,
) -> Report:
    found = areas(sheet, definition)
    said = (*notes, *sheet_notes(sheet), *found.notes)
    drawn = tuple(_plots(sheet, found)) if plots else ()
    return Report(sheet, found, said, tuple(_tables(sheet, found)), drawn, apart)


def _tables(sheet: Sheet, found: Areas) -> list[Table]:
    scaled = [task.name for task in sheet.tasks if _has_places(sheet, task.name)]
    pairs = [pair for variant in sheet.ranked for pair in differences(sheet, variant, scaled)]
    ranks: dict[Variant, dict[str, Estimate]] = {
        variant: mean_ranks(sheet, variant) for variant in sheet.ranked
    }
    tables = [
        task_table(sheet),
        aup_table(sheet, found),
        best_table(sheet, "best_submission"),
        best_table(sheet, "best_attempt"),
        mean_table(sheet),
        rank_table(ranks, sheet),
        difference_table(pairs),
    ]
    if sheet.source == "runs":
        tables += [exit_table(sheet), usage_table(sheet)]
    return tables


def _has_places(sheet: Sheet, task: str) -> bool:
    """Whether every score on the task has a place between its baseline and its target."""
    return all(
        entry.scores[variant] is None or entry.places[variant] is not None
        for entry in sheet.entries
        if entry.task == task
        for variant in sheet.ranked
    )


def _plots(sheet: Sheet, found: Areas) -> list[Plot]:
    plots: list[Plot | None] = list(profile_plots(sheet, found))
    if sheet.source == "runs":
        plots += [step_plot(sheet, *score_by_step(sheet)), cost_plot(sheet)]
    return [plot for plot in plots if plot is not None]


def _run_counts(sheet: Sheet) -> Mapping[str, int]:
    runs = [entry.run for entry in sheet.entries if entry.run]
    return {
        "total": len(sheet.entries),
        "judged": sum(entry.is_judged for entry in sheet.entries),
        "infrastructure_failures": sum(run.ended and not run.is_judged for run in runs),
        "not_ended": sum(not run.ended for run in runs),
    }
