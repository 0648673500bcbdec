"""`mlgym runs`: lists what lies in a folder of runs, shows one, compares two, removes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import Json, RunsFolder
from mlgym.cli.output import money, note, one_line, seconds, show, show_json, show_table, size
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.runs.comparing import Parting
    from mlgym.runs.listing import Row

app = typer.Typer(help="Recorded runs: list, show, diff, rm.", no_args_is_help=True)

_WIDE = 100
RunName = Annotated[str, typer.Argument(help="A run's folder or id.", metavar="RUN")]


@app.callback()
def group() -> None:
    """Recorded runs: list, show, diff, rm."""


@app.command("list")
def list_command(
    folder: Annotated[
        Path | None, typer.Argument(help="The same as --out.", metavar="[DIR]")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Only runs of this task.", metavar="ID")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Only this agent's.", metavar="NAME")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only this model's.", metavar="NAME")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            help="Only runs that are scored, unscored, infrastructure_failure, running, cut_off"
            " (their process ended before they did) or broken.",
            metavar="STATUS",
        ),
    ] = None,
    out: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs in a folder, by id and so by time."""
    from mlgym.runs.listing import STATES, list_runs

    if status is not None and status not in STATES:
        raise ConfigError(f"--status: found {status!r}, expected: {', '.join(STATES)}")
    wanted = {"task": task, "agent": agent, "model": model, "status": status}
    rows = [
        row
        for row in list_runs(folder or out)
        if all(value is None or getattr(row, name) == value for name, value in wanted.items())
    ]
    if json:
        show_json([row.to_json() for row in rows])
        return
    show_table(
        ("RUN", "TASK", "DATA", "AGENT", "MODEL", "SEED", "STEPS", "SCORE", "STATUS"),
        map(_cells, rows),
    )
    for row in rows:
        if row.problem:
            note(f"{row.path}: {row.problem}")


def _cells(row: Row) -> tuple[object, ...]:
    told = (row.run_id, row.task, row.profile, row.agent, row.model, row.seed, row.steps)
    score = "-" if row.score is None else f"{row.score:.4f}"
    return (*("-" if value is None else value for value in told), score, _ending(row))


def _ending(row: Row) -> str:
    return f"{row.status}, {row.exit_reason}" if row.exit_reason else row.status


@app.command("show")
def show_command(run: RunName, out: RunsFolder = Path("runs"), json: Json = False) -> None:
    """Show one run: its record, its steps in a line each, its files."""
    from mlgym.runs.listing import read_row
    from mlgym.runs.store import find_run

    found = find_run(run, out)
    row = read_row(str(found.path))
    files = {
        path.relative_to(found.path).as_posix(): path.stat().st_size
        for path in sorted(found.path.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    record = found.record()
    if json:
        show_json({**record, "state": row.status, "folder": str(found.path), "files": files})
        return
    rows = [
        ("run", row.run_id),
        ("task", f"{row.task}, {row.profile} data, data seed {row.data_seed}"),
        ("agent", " on ".join(part for part in (row.agent, row.model) if part)),
        ("seed", row.seed),
        ("state", _ending(row)),
        ("score", "none" if row.score is None else f"{row.score:.4f}"),
        ("return", row.total_reward),
        ("cost", money(row.cost_usd)),
        ("took", seconds(row.duration_s or 0.0)),
        ("began", row.started_at),
    ]
    if row.primary and row.value is not None:
        rows.insert(5, (row.primary, f"{row.value:.6g} on the test split"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        show(f"{name.ljust(width)}  {one_line(str(value), _WIDE)}")
    show("")
    for step in found.transitions():
        told = "" if step.metrics is None else f"  {_metrics(step.metrics)}"
        show(f"[{step.step}] {one_line(step.action or step.tool, _WIDE)}{told}")
    show("")
    show_table(("FILE", "SIZE"), ((name, size(count)) for name, count in files.items()))


def _metrics(metrics: Any) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())


@app.command("diff")
def diff(
    first: RunName, second: RunName, out: RunsFolder = Path("runs"), json: Json = False
) -> None:
    """Compare two runs: configuration, result, and the first step at which they part."""
    from mlgym.runs.comparing import compare
    from mlgym.runs.store import find_run

    found = compare(find_run(first, out), find_run(second, out))
    if json:
        show_json(found.to_json())
        return
    for title, fields in (("configuration", found.config), ("result", found.result)):
        show(f"{title}: {'differs' if fields else 'the same'}")
        for name, pair in fields.items():
            show(f"  {name}: {one_line(str(pair[0]), _WIDE)} | {one_line(str(pair[1]), _WIDE)}")
    _show_parting("actions", found.action)
    _show_parting("observations", found.observation)


def _show_parting(what: str, parting: Parting | None) -> None:
    if parting is None:
        show(f"{what}: the same")
        return
    show(f"{what}: differ first at step {parting.step}")
    for text in (parting.first, parting.second):
        show(f"  {'(none)' if text is None else one_line(text, _WIDE)}")


@app.command("rm")
def rm(
    runs: Annotated[list[str], typer.Argument(help="Run folders or ids.", metavar="RUN...")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    out: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Remove runs for good. What is no run folder, or is running, is left as it is."""
    from mlgym.runs.listing import remove_run

    paths = [_place(run, out) for run in runs]
    if not yes:
        for path in paths:
            note(str(path))
        typer.confirm(f"Remove {len(paths)} for good?", abort=True, err=True)
    for path in paths:
        remove_run(path)
    if json:
        show_json({"removed": [str(path) for path in paths]})
        return
    show(f"removed {len(paths)}")


def _place(run: str, out: Path) -> Path:
    """The folder meant, broken ones too, which `find_run` would not find."""
    places = (Path(run), out / run)
    return next((path for path in places if path.is_dir()), places[0])
