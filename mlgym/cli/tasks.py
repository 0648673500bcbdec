"""`mlgym tasks`: list, show; and the group that `check`, `baseline` and `new` belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mlgym.cli import baseline, check, new
from mlgym.cli.options import Json, TaskName
from mlgym.cli.output import note, seconds, show, show_json, show_table
from mlgym.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgym.task.spec import Task

app = typer.Typer(
    help="The tasks: list, show, make a new one, check that they are sound, measure baselines.",
    no_args_is_help=True,
)
app.command("new")(new.new)
app.command("check")(check.check_tasks)
app.command("baseline")(baseline.baseline)


def sound_tasks() -> list[Task]:
    """All tasks of the catalogue that can be loaded; a broken one is told of and left out."""
    from mlgym import catalog
    from mlgym.task.spec import load_task

    found: list[Task] = []
    for name, folder in catalog.shelf("tasks").items():
        try:
            found.append(load_task(folder))
        except TaskError as error:
            note(f"the task {name} is broken and left out:\n{error}")
    return found


@app.command("list")
def list_tasks(json: Json = False) -> None:
    """List the tasks of all packs."""
    fields = ("id", "version", "title", "domain", "image")
    rows = [{name: getattr(task.spec, name) for name in fields} for task in sound_tasks()]
    if json:
        show_json(rows)
        return
    show_table(
        ("TASK", "VERSION", "DOMAIN", "IMAGE", "TITLE"),
        ((row["id"], row["version"], row["domain"], row["image"], row["title"]) for row in rows),
    )


@app.command("show")
def show_task(task: TaskName, json: Json = False) -> None:
    """Show what an agent is told of a task, and its figures."""
    from mlgym.task.spec import find_task

    found = find_task(task)
    spec = found.spec
    if json:
        show_json(
            {
                **spec.model_dump(mode="json"),
                "gym_id": spec.gym_id,
                "sha256": found.sha256,
                "folder": str(found.folder),
            }
        )
        return
    show(f"{spec.title}  ({spec.gym_id})\n")
    show(found.brief_text(check.profile_of(found, None)) + "\n")
    show_table(("METRIC", "GOAL", "PROFILE", "BASELINE", "TARGET"), _marks(found))
    budget, resources = spec.budget, spec.resources
    show("")
    show_table(
        ("", ""),
        (
            ("domain", spec.domain),
            ("image", spec.image),
            (
                "submission",
                f"{', '.join(spec.submission.paths)} ({spec.submission.kind},"
                f" at most {spec.submission.max_mb:g} MB)",
            ),
            (
                "budget",
                f"{budget.steps} steps, {seconds(budget.wall_s)} in all,"
                f" {seconds(budget.command_s)} a command",
            ),
            (
                "sandbox",
                f"{resources.cpus:g} CPUs, {resources.memory_gb:g} GB of memory,"
                f" {resources.disk_gb:g} GB of disk, {resources.gpus} GPUs,"
                f" {'a' if resources.network else 'no'} network",
            ),
            ("folder", found.folder),
        ),
    )


def _marks(task: Task) -> Iterator[tuple[str, ...]]:
    for metric in task.spec.metrics:
        for name, profile in task.spec.profiles.items():
            values = (profile.baseline.get(metric.name), profile.target.get(metric.name))
            shown = ("-" if value is None else f"{value:.6g}" for value in values)
            yield (metric.name, metric.goal, name, *shown)
