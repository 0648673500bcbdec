"""`mlgym tasks`: list, show, prove sound, measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import Json, SandboxName
from mlgym.cli.output import note, plain, seconds, show, show_json, show_table
from mlgym.errors import ConfigError, TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgym.sandbox.base import Backend
    from mlgym.task.check import CheckReport
    from mlgym.task.spec import Task
    from mlgym.task.trial import Measurement

app = typer.Typer(
    help="The tasks: list, show, check that they are sound, measure their baseline.",
    no_args_is_help=True,
)
TaskName = Annotated[str, typer.Argument(help="A task's name or folder.", metavar="TASK")]
Profile = Annotated[
    str | None,
    typer.Option("--data", help="mini or full; mini, where the task has it.", metavar="PROFILE"),
]


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
    show(found.brief_text(_profile(found, None)) + "\n")
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


@app.command("check")
def check_tasks(
    task: Annotated[
        str | None, typer.Argument(help="A task's name or folder.", metavar="[TASK]")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All tasks of the catalogue.")] = False,
    data: Profile = None,
    sandbox: SandboxName = "auto",
    json: Json = False,
) -> None:
    """Prove a task sound: its data, baseline, solution and grader do what task.yaml says."""
    from mlgym.runs.ready import data_python, ready_image
    from mlgym.task.check import check_task
    from mlgym.task.spec import find_task

    if every == (task is not None):
        raise ConfigError("name one task, or say --all; `mlgym tasks list` lists them")
    reports: list[CheckReport] = []
    for each in sound_tasks() if task is None else [find_task(task)]:
        name, backend = _backend(each, sandbox)
        ready_image(each, name, note)
        python = data_python(each, note)
        report = check_task(each, _profile(each, data), backend, python, note)
        reports.append(report)
        if not json:
            _show_report(report)
    if json:
        show_json([_report_json(report) for report in reports])
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _show_report(report: CheckReport) -> None:
    show(f"{report.task} ({report.profile}): {'sound' if report.ok else 'UNSOUND'}")
    for finding in report.findings:
        mark = "ok    " if finding.ok else "FAILED"
        first, *rest = plain(finding.detail).split("\n")
        show(f"  {mark}  {finding.name}: {first}")
        for line in rest:
            show(f"          {line}")


def _report_json(report: CheckReport) -> dict[str, Any]:
    return {
        "task": report.task,
        "sha256": report.sha256,
        "profile": report.profile,
        "sound": report.ok,
        "findings": [
            {
                "name": finding.name,
                "ok": finding.ok,
                "detail": finding.detail,
                "duration_s": round(finding.duration_s, 3),
            }
            for finding in report.findings
        ],
    }


@app.command("baseline")
def baseline(
    task: TaskName,
    seeds: Annotated[int, typer.Option("--seeds", help="How many runs of each.", min=1)] = 3,
    data: Profile = None,
    sandbox: SandboxName = "auto",
    json: Json = False,
) -> None:
    """Measure a task's baseline and solution on the test split, as numbers to commit."""
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.task.check import measure_baseline
    from mlgym.task.spec import find_task

    found = find_task(task)
    name, backend = _backend(found, sandbox)
    ready_image(found, name, note)
    profile = _profile(found, data)
    prepared = ready_data(found, profile, 0, note)
    measured = measure_baseline(found, prepared, backend, seeds, note)
    metrics = [metric.name for metric in found.spec.metrics]
    if json:
        show_json(
            {
                "task": found.spec.id,
                "profile": profile,
                "sandbox": name,
                "measured": [_measured_json(each, metrics) for each in measured],
            }
        )
        return
    rows = ((each, metric) for each in measured for metric in metrics)
    show_table(
        ("WHAT", "METRIC", "MEAN", "SPREAD", "RUNS", "TIME"),
        (
            (
                each.what,
                metric,
                f"{each.mean(metric):.6g}",
                f"{each.spread(metric):.3g}",
                len(each.metrics),
                seconds(sum(each.durations_s) / len(each.durations_s)),
            )
            for each, metric in rows
        ),
    )


def _measured_json(measured: Measurement, metrics: list[str]) -> dict[str, Any]:
    return {
        "what": measured.what,
        "runs": [dict(values) for values in measured.metrics],
        "mean": {name: measured.mean(name) for name in metrics},
        "spread": {name: measured.spread(name) for name in metrics},
        "durations_s": [round(value, 3) for value in measured.durations_s],
    }


def _backend(task: Task, wanted: str) -> tuple[str, Backend]:
    from mlgym.sandbox.backends import choose_backend, load_backend

    name = choose_backend(wanted, task.spec.resources.gpus)
    return name, load_backend(name)


def _profile(task: Task, wanted: str | None) -> str:
    from mlgym.task.data import choose_profile

    if wanted is None:
        return "mini" if "mini" in task.spec.profiles else "full"
    return choose_profile(task, wanted, 0)
