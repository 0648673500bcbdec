"""`mlgym images`: what tasks run in, listed and built."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show, show_json, show_table
from mlgym.errors import ConfigError, SandboxError, unknown_name

app = typer.Typer(help="The images that tasks run in: list, build.", no_args_is_help=True)
_BUILT_FOR = ("bubblewrap", "docker")


@app.command("list")
def list_images(json: Json = False) -> None:
    """List the images, and for which sandboxes they are built."""
    from mlgym import catalog
    from mlgym.sandbox.docker_images import docker_tag
    from mlgym.sandbox.images import built_environment, load_image

    tags = _docker_tags()
    rows: list[dict[str, Any]] = []
    for name in catalog.shelf("containers"):
        try:
            image = load_image(name)
        except ConfigError as error:
            note(f"the image {name} is broken and left out: {error}")
            continue
        environment, tag = built_environment(image), docker_tag(image)
        rows.append(
            {
                "name": name,
                "description": image.description,
                "bubblewrap": str(environment) if environment else None,
                "docker": tag if tags and tag in tags else None,
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
                "no daemon" if tags is None else row["docker"] or "not built",
                row["description"],
            )
            for row in rows
        ),
    )


def _docker_tags() -> set[str] | None:
    """The tags of MLGym's images that the daemon has, None where no daemon answers."""
    from mlgym.sandbox.docker_client import connect, docker_errors

    try:
        client = connect()
    except SandboxError:
        return None
    with contextlib.closing(client), docker_errors("the daemon's images cannot be listed"):
        return {tag for image in client.images.list() for tag in image.tags}


@app.command("build")
def build_image(
    name: Annotated[str, typer.Argument(help="The image.", metavar="IMAGE")],
    sandbox: Annotated[
        str, typer.Option("--sandbox", help="bubblewrap or docker.", metavar="NAME")
    ] = "bubblewrap",
    base_image: Annotated[
        str | None,
        typer.Option("--base-image", help="Docker: build on this image.", metavar="NAME"),
    ] = None,
    from_debian: Annotated[
        bool,
        typer.Option(
            "--from-debian", help="Docker: make the base with debootstrap; needs no image registry."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Build an image for a sandbox."""
    from mlgym.sandbox.images import build_environment, load_image

    if sandbox not in _BUILT_FOR:
        raise unknown_name("sandbox", sandbox, _BUILT_FOR, "mlgym images build --help")
    image = load_image(name)
    if sandbox == "bubblewrap":
        if base_image is not None or from_debian:
            raise ConfigError("--base-image and --from-debian go with --sandbox docker")
        built = str(build_environment(image, note))
    else:
        from mlgym.sandbox.docker_images import build_docker_image

        built = build_docker_image(name, base_image=base_image, from_debian=from_debian, log=note)
    if json:
        show_json({"name": name, "sandbox": sandbox, "built": built})
    else:
        show(built)
