"""`mlgym tasks new`: makes a task of one's own out of one that there is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import show, show_json


def new(
    name: Annotated[str, typer.Argument(help="The new task's id.", metavar="ID")],
    like: Annotated[
        str, typer.Option("--like", help="The task to copy, by name or folder.", metavar="TASK")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The pack's folder; the task goes into its tasks/.", metavar="DIR"
        ),
    ] = Path(),
    title: Annotated[
        str | None, typer.Option("--title", help="Its title; else the id in words.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a new task, a copy of another one, and say what to do next."""
    from mlgym.task.new import new_task, next_commands
    from mlgym.task.spec import find_task

    made = new_task(name, find_task(like), out, title)
    commands = next_commands(made, out)
    if json:
        show_json(
            {
                "task": made.spec.id,
                "folder": str(made.folder),
                "pack": str(out.resolve()),
                "next": commands,
            }
        )
        return
    show(f"made {shlex.quote(str(made.folder))}, a copy of {like} that passes its check as it is")
    show("next, from this folder:\n")
    for command in commands:
        show(f"  {command}")
