"""`mlgym report`: tables, figures and one page from run folders, or from a file of scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.report.build import Report
    from mlgym.report.entries import Sheet


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A folder that holds run folders; runs, if none is named.", metavar="[DIR]"
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Other people's results: JSON, a line a run.", metavar="FILE"
        ),
    ] = None,
    aup: Annotated[
        str,
        typer.Option("--aup", help="Which definition of AUP: strict or paper.", metavar="NAME"),
    ] = "strict",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where to write; DIR/report, or report with --scores.", metavar="DIR"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Report runs: scores with intervals, AUP, ranks, profiles, exit reasons, steps, cost, time."""
    definition = _definition(aup)
    sheets, notes, target = _read(folder, scores)
    # After reading: a mistake in the call is told without waiting for the libraries that draw.
    from mlgym.report.build import build
    from mlgym.report.write import write_report

    made = build(sheets, definition, notes)
    target = out or target
    content = write_report(made, target)
    if json:
        show_json(content)
    else:
        _show(made, target)


def _definition(aup: str) -> Literal["strict", "paper"]:
    if aup not in ("strict", "paper"):
        raise ConfigError(f"--aup: found {aup!r}, expected: strict or paper")
    return "paper" if aup == "paper" else "strict"


def _read(folder: Path | None, scores: Path | None) -> tuple[list[Sheet], list[str], Path]:
    """The sheets, what to say of them, and where a report of them goes by default."""
    from mlgym.report.own import own_sheets
    from mlgym.report.scores import read_scores
    from mlgym.runs.reading import read_runs

    if scores is not None:
        if folder is not None:
            raise ConfigError("give either DIR or --scores: they are never mixed in one report")
        return [read_scores(scores)], [], Path("report")
    folder = folder or Path("runs")
    found = read_runs(folder)
    notes = [f"Could not be read and is left out: {each}" for each in found.unreadable[:10]]
    if (rest := len(found.unreadable) - 10) > 0:
        notes.append(f"So could {rest} further runs.")
    return own_sheets(found), notes, folder / "report"


def _show(made: Report, target: Path) -> None:
    show(made.sheet.title)
    for name in ("aup", "ranks"):
        (table,) = (each for each in made.tables if each.name == name)
        show(f"\n{table.title}")
        show_table(table.head, table.rows)
    if made.notes:
        note("")
    for each in made.notes:
        note(f"note: {each}")
    show(f"\nreport: {target / 'report.html'}")
