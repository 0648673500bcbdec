"""`mlgym agents`: what can play, and the beginning of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError

app = typer.Typer(help="The agents: list, new.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The agents: list, new."""


@app.command("list")
def list_agents(json: Json = False) -> None:
    """List the agents of the catalogue."""
    from mlgym import catalog
    from mlgym.agent_loader import read_spec

    rows: list[dict[str, Any]] = []
    for name, folder in catalog.shelf("agents").items():
        try:
            spec = read_spec(folder / "agent.yaml")
        except ConfigError as error:
            note(f"{name} is broken: {error}")
            continue
        rows.append(
            {
                "name": name,
                "description": spec.description,
                "needs_model": spec.needs_model,
                "folder": str(folder),
            }
        )
    if json:
        show_json(rows)
        return
    show_table(
        ("AGENT", "MODEL", "DESCRIPTION"),
        (
            (row["name"], "needed" if row["needs_model"] else "-", row["description"])
            for row in rows
        ),
    )


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The new agent's name.", metavar="NAME")],
    like: Annotated[
        str, typer.Option("--like", help="The agent to copy, by name or folder.", metavar="AGENT")
    ] = "starter",
    out: Annotated[
        Path, typer.Option("--out", help="The folder in which its folder is made.", metavar="DIR")
    ] = Path(),
    json: Json = False,
) -> None:
    """Make a new agent, a copy of another one that runs as it stands."""
    from mlgym.agent_loader import find_agent
    from mlgym.agent_new import new_agent, next_command

    made = new_agent(name, find_agent(like), out)
    command = next_command(made, out)
    if json:
        show_json({"agent": name, "folder": str(made.folder), "next": [command]})
        return
    show(f"made {made.folder}, a copy of {like}")
    show(f"next, from this folder:\n\n  {command}")
