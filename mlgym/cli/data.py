"""`mlgym data`: what data is prepared, preparing it, checking it against its sums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import DataSeed, Json
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.task.data import Prepared
    from mlgym.task.spec import Task

app = typer.Typer(help="The tasks' data: list, prepare, verify.", no_args_is_help=True)


@app.command("list")
def list_data(json: Json = False) -> None:
    """List the data profiles of every task, and which of them are prepared."""
    from mlgym.cli.tasks import sound_tasks
    from mlgym.task.data import all_prepared

    rows: list[dict[str, Any]] = []
    for task in sound_tasks():
        prepared = all_prepared(task)
        for profile in sorted(task.spec.profiles, reverse=True):
            seeds = [each for each in prepared if each.profile == profile]
            rows += [
                {
                    "task": task.spec.id,
                    "profile": profile,
                    "data_seed": each.data_seed if each else None,
                    "folder": str(_folder(each)) if each else None,
                }
                for each in seeds or [None]
            ]
    if json:
        show_json(rows)
        return
    show_table(
        ("TASK", "PROFILE", "DATA SEED", "PREPARED IN"),
        (
            (
                row["task"],
                row["profile"],
                "-" if row["data_seed"] is None else row["data_seed"],
                row["folder"]
                or f"not prepared: mlgym data prepare {row['task']} --data {row['profile']}",
            )
            for row in rows
        ),
    )


@app.command("prepare")
def prepare_data(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks, by name or folder.", metavar="[TASK]...")
    ] = None,
    data: Annotated[str, typer.Option("--data", help="mini or full.", metavar="PROFILE")] = "mini",
    data_seed: DataSeed = 0,
    every: Annotated[bool, typer.Option("--all", help="All tasks of the catalogue.")] = False,
    json: Json = False,
) -> None:
    """Prepare data for tasks, unless it is there."""
    from mlgym.runs.ready import ready_data
    from mlgym.task.data import choose_profile

    done: list[dict[str, Any]] = []
    for task in _chosen(tasks, every):
        profile = choose_profile(task, data, data_seed)
        prepared = ready_data(task, profile, data_seed, note)
        done.append(_told(task, prepared))
        if not json:
            show(f"{task.spec.id}: {profile} data in {_folder(prepared)}")
    if json:
        show_json(done)


@app.command("verify")
def verify_data(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(help="Tasks; all, where none is named.", metavar="[TASK]..."),
    ] = None,
    json: Json = False,
) -> None:
    """Compare prepared data with the sums recorded when it was made. Exit code 1 if any differs."""
    from mlgym.task.data import all_prepared, verify

    found: list[dict[str, Any]] = []
    for task in _chosen(tasks, every=not tasks):
        prepared = all_prepared(task)
        if tasks and not prepared:
            raise ConfigError(
                f"{task.spec.id}: no data has been prepared."
                f" `mlgym data prepare {task.spec.id}` does it."
            )
        found += [{**_told(task, each), "problems": verify(each)} for each in prepared]
    if json:
        show_json(found)
    for row in [] if json else found:
        where = f"{row['task']}: {row['profile']} data, data seed {row['data_seed']}"
        show(f"{where}: {'WRONG' if row['problems'] else 'ok'}")
        for problem in row["problems"]:
            show(f"  {problem}")
    if not found:
        note("no data has been prepared; `mlgym data prepare --all` does it")
    wrong = sum(bool(row["problems"]) for row in found)
    if wrong:
        note(f"{wrong} of {len(found)} differ: remove the folder and prepare it anew")
        raise typer.Exit(1)


def _chosen(names: list[str] | None, every: bool) -> list[Task]:
    from mlgym.cli.tasks import sound_tasks
    from mlgym.task.spec import find_task

    if every:
        if names:
            raise ConfigError("name tasks or say --all, not both")
        return sound_tasks()
    if not names:
        raise ConfigError("name a task, or say --all; `mlgym tasks list` lists them")
    return [find_task(name) for name in names]


def _told(task: Task, prepared: Prepared) -> dict[str, Any]:
    return {
        "task": task.spec.id,
        "profile": prepared.profile,
        "data_seed": prepared.data_seed,
        "folder": str(_folder(prepared)),
    }


def _folder(prepared: Prepared) -> Path:
    return prepared.public.parent
