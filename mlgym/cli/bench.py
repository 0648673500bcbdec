"""`mlgym bench`: how fast a sandbox is, beside plain bash in the same run on the same core."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlgym.cli.options import Json, SandboxName
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.bench.measures import Measure
    from mlgym.bench.suite import Report

HEAD = ("MEASURE", "OURS", "REFERENCE", "RATIO", "GATE", "", "THE REFERENCE", "HOW")
_RESULTS = {True: "ok", False: "MISSED", None: ""}


def bench(
    sandbox: SandboxName = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats: a first look.")] = False,
    core: Annotated[
        int | None,
        typer.Option("--core", help="Bind all to this core; default: the last.", metavar="N"),
    ] = None,
    vector: Annotated[
        bool,
        typer.Option("--vector", help="Many environments as one vector instead, on two cores."),
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown, as in the docs.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            help="Measure only what this file bounds; exit code 1 where a ratio is exceeded.",
            metavar="FILE",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure a sandbox beside plain bash. A missed gate is information, and no exit code."""
    from dataclasses import asdict

    from mlgym.bench import suite
    from mlgym.bench.plan import FULL, QUICK

    if vector and core is not None:
        raise ConfigError(f"--core: found {core} beside --vector, expected one of them only")
    others = quick or vector or markdown or core is not None
    if check is not None and others:
        raise ConfigError("--check: expected without --quick, --vector, --core and --markdown")
    # A shell starts its background jobs deaf to SIGINT, and what is measured here would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if check is not None:
        _check(sandbox, check, json=json)
        return
    backend = _ready(sandbox)
    plan = QUICK if quick else FULL
    if vector:
        report = suite.bench_vector(backend, plan, note)
    else:
        report = suite.bench(backend, plan, core, note)
    if json:
        show_json({**asdict(report), "quick": quick})
    elif markdown:
        _show_markdown(report)
    else:
        _show(report)


def _check(sandbox: str, file: Path, *, json: bool) -> None:
    """Leaves with exit code 1 where a bound is exceeded, tries and all."""
    from dataclasses import asdict

    from mlgym.bench.check import check, read_bounds

    by_backend = read_bounds(file)
    backend = _ready(sandbox)
    if backend not in by_backend:
        known = ", ".join(by_backend) or "nothing"
        raise ConfigError(f"{file}: bounds {known}, expected {backend}")
    found = check(backend, by_backend[backend], note)
    if json:
        show_json([{**asdict(held), "ok": held.ok} for held in found])
    else:
        show_table(
            ("MEASURE", "RATIO", "AT MOST", "", "TRIES"),
            [
                (
                    held.name,
                    "-" if held.ratio is None else f"{held.ratio:.2f} x",
                    f"{held.at_most:g} x",
                    _RESULTS[held.ok],
                    held.tries,
                )
                for held in found
            ],
        )
    if not all(held.ok for held in found):
        raise typer.Exit(1)


def _ready(sandbox: str) -> str:
    """The backend's name; what it takes to measure it is built and prepared where it is missing."""
    from mlgym.bench.setting import GAME
    from mlgym.runs.leftovers import reap
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.sandbox.backends import choose_backend, load_backend
    from mlgym.task.data import choose_profile
    from mlgym.task.spec import find_task

    backend = choose_backend(sandbox, gpus=0)
    load_backend(backend)
    task = find_task(GAME)
    reap(backend)
    ready_image(task, backend, note)
    ready_data(task, choose_profile(task, "auto", 0), 0, note)
    return backend


def _where(report: Report) -> str:
    bound = "all bound to it" if report.pinned else "the sandbox NOT bound to it"
    where = f"core {report.core} of {report.cores} ({bound})"
    if report.vector:
        where = f"at most two cores of {report.cores}"
    return f"{report.sandbox}, {where}, {report.machine}, mlgym {report.mlgym}"


def _show(report: Report) -> None:
    show(f"{_where(report)}\n")
    show_table(HEAD, map(_row, report.measures))
    show(
        "\nR: a persistent bash that sources the same text, by turns with ours."
        " A ratio is how many times more than the reference we take."
    )
    for line in report.notes:
        show(f"note: {line}")


def _show_markdown(report: Report) -> None:
    """As the docs have it: without the names of the columns that explain themselves."""
    show(f"Measured: {_where(report)}.\n")
    show("| measure | ours | reference | ratio | gate | | the reference | how |")
    show("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, *rest in map(_row, report.measures):
        show("| " + " | ".join((f"`{name}`", *rest)) + " |")
    for line in report.notes:
        show(f"\n{line}")


def _row(measure: Measure) -> tuple[str, ...]:
    gate = ""
    if measure.gate is not None:
        unit = "x" if measure.gate_on == "ratio" else measure.unit
        gate = f"{measure.gate:g} {unit}"
    return (
        measure.name,
        _figure(measure.value, measure.unit),
        _figure(measure.reference, measure.unit),
        "-" if measure.ratio is None else f"{measure.ratio:.2f} x",
        gate,
        _RESULTS[measure.ok],
        measure.against,
        measure.detail,
    )


def _figure(value: float | None, unit: str) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
