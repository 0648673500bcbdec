"""`mlgym models`: short names of models, and what they stand for."""

from __future__ import annotations

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show_json, show_table

app = typer.Typer(help="The models: list.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The models: list."""


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the short names of models."""
    from mlgym.models.aliases import aliases

    known = sorted(aliases().values(), key=lambda alias: alias.name)
    if json:
        show_json([{"name": alias.name, "model": alias.model} for alias in known])
        return
    show_table(("NAME", "STANDS FOR"), ((alias.name, alias.model) for alias in known))
    note(
        "Any other name that litellm knows will do: PROVIDER/MODEL. A server of your own:"
        " openai/MODEL with --api-base URL."
    )
