"""`mlgym images`: what tasks run in, listed and built."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError, unknown_name

app = typer.Typer(help="The images that tasks run in: list, build.", no_args_is_help=True)


@app.command("list")
def list_images(json: Json = False) -> None:
    """List the images, and for which sandboxes they are built."""
    from mlgym import catalog
    from mlgym.sandbox.images import built_environment, load_image

    rows: list[dict[str, Any]] = []
    for name in catalog.shelf("containers"):
        try:
            image = load_image(name)
        except ConfigError as error:
            note(f"the image {name} is broken and left out: {error}")
            continue
        environment = built_environment(image)
        rows.append(
            {
                "name": name,
                "description": image.description,
                "bubblewrap": str(environment) if environment else None,
                "docker": _docker_tag(name),
                "folder": str(image.folder),
            }
        )
    if json:
        show_json(rows)
        return
    show_table(
        ("IMAGE", "BUBBLEWRAP", "DOCKER", "DESCRIPTION"),
        (
            (
                row["name"],
                "built" if row["bubblewrap"] else "not built",
                row["docker"] or "not built",
                row["description"],
            )
            for row in rows
        ),
    )
