"""`mlgym gc`: removes what killed processes left behind."""

from __future__ import annotations

from mlgym.cli.options import Json
from mlgym.cli.output import show, show_json


def gc(json: Json = False) -> None:
    """Remove what killed processes left: sandboxes, containers, volumes, temporary folders."""
    from mlgym.runs.leftovers import remove_leftovers
    from mlgym.sandbox.bubblewrap import reap
    from mlgym.sandbox.docker import reap_docker

    removed = [*reap(), *reap_docker(), *remove_leftovers()]
    if json:
        show_json(removed)
        return
    for line in removed:
        show(f"removed: {line}")
    if not removed:
        show("nothing was left behind")
