"""`mlgym agents`: what can play."""

from __future__ import annotations

from typing import Any

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show_json, show_table
from mlgym.errors import ConfigError

app = typer.Typer(help="The agents: list.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The agents: list."""


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
