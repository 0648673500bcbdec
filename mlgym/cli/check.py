"""`mlgym tasks check`: proves tasks sound, and shows one table of what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import Json, SandboxName, TaskProfile
from mlgym.cli.output import note, plain, seconds, show, show_json, show_table
from mlgym.errors import ConfigError, TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgym.sandbox.base import Backend
    from mlgym.task.check import CheckReport
    from mlgym.task.spec import Task


def check_tasks(
    task: Annotated[
        str | None, typer.Argument(help="A task's name or folder.", metavar="[TASK]")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All tasks of the catalogue.")] = False,
    data: TaskProfile = None,
    sandbox: SandboxName = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Check all anew, also what has not changed.")
    ] = False,
    reduced: Annotated[
        bool,
        typer.Option("--reduced", help="Train nothing, and try few bad submissions."),
    ] = False,
    json: Json = False,
) -> None:
    """Prove a task sound: data, secrecy, baseline, solution, grader. Exit code 1 if it is not.

    What was found sound is kept, and looked at again once a part of the task has changed.
    """
    from mlgym.task.spec import find_task

    if every == (task is not None):
        raise ConfigError("name one task, or say --all; `mlgym tasks list` lists them")
    if task is not None:
        reports = [_checked(find_task(task), data, sandbox, fresh, reduced)]
    else:
        reports = list(_all_checked(data, sandbox, fresh, reduced))
    if json:
        show_json([_report_json(report) for report in reports])
    else:
        _show_reports(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _all_checked(
    data: str | None, sandbox: str, fresh: bool, reduced: bool
) -> Iterator[CheckReport]:
    """A report on every task of the catalogue, those that cannot be loaded among them."""
    from mlgym import catalog
    from mlgym.task.check import broken_task
    from mlgym.task.spec import load_task

    for name, folder in catalog.shelf("tasks").items():
        try:
            found = load_task(folder)
        except TaskError as error:
            yield broken_task(name, error)
            continue
        yield _checked(found, data, sandbox, fresh, reduced)


def _checked(task: Task, data: str | None, sandbox: str, fresh: bool, reduced: bool) -> CheckReport:
    from mlgym import catalog
    from mlgym.runs.ready import data_python, ready_image
    from mlgym.task.check import Memory, check_task

    name, backend = backend_of(task, sandbox)
    profile = profile_of(task, data)
    note(f"{task.spec.id}: checking the {profile} profile on {name}")
    python = None
    try:
        ready_image(task, name, note)
        python = data_python(task, note)
    except ConfigError as error:
        note(str(error))  # an unknown image: the first of the findings
    memory = Memory(catalog.home() / "checks", name, fresh)
    return check_task(task, profile, backend, python, note, reduced=reduced, memory=memory)


def _show_reports(reports: list[CheckReport]) -> None:
    """One table, then all of what failed in full."""
    show_table(
        ("TASK", "CLAIM", "FOUND", "TIME", "WHAT WAS SEEN"),
        (
            (
                f"{report.task} ({report.profile})" if report.profile else report.task,
                finding.name,
                "ok" if finding.ok else "FAILED",
                "kept" if finding.kept else seconds(finding.duration_s),
                plain(finding.detail).split("\n")[0],
            )
            for report in reports
            for finding in report.findings
        ),
    )
    for report in reports:
        for finding in report.findings:
            if not finding.ok:
                show(f"\n{report.task}: {finding.name}: FAILED")
                for line in plain(finding.detail).split("\n"):
                    show(f"  {line}")
    show("")
    for report in reports:
        profile = f" ({report.profile})" if report.profile else ""
        show(f"{report.task}{profile}: {'sound' if report.ok else 'UNSOUND'}")


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
                "kept": finding.kept,
            }
            for finding in report.findings
        ],
    }


def backend_of(task: Task, wanted: str) -> tuple[str, Backend]:
    """The sandbox that `--sandbox` names, for a task.

    Raises:
        ConfigError: there is none of that name.
    """
    from mlgym.sandbox.backends import choose_backend, load_backend

    name = choose_backend(wanted, task.spec.resources.gpus)
    return name, load_backend(name)


def profile_of(task: Task, wanted: str | None) -> str:
    """The data profile that `--data` names: without it `mini`, where the task has that.

    Raises:
        ConfigError: the task has no such profile.
    """
    from mlgym.task.data import choose_profile

    if wanted is None:
        return "mini" if "mini" in task.spec.profiles else "full"
    return choose_profile(task, wanted, 0)
