"""`mlgym gc`: removes what killed processes left behind."""

from __future__ import annotations

from mlgym.cli.options import Json
from mlgym.cli.output import show, show_json


def gc(json: Json = False) -> None:
    """Remove what killed processes left: sandboxes, containers, volumes, temporary folders."""
    from mlgym.runs.leftovers import reap, remove_unfinished

    removed = [*reap("bubblewrap"), *reap("docker"), *remove_unfinished()]
    if json:
        show_json(removed)
        return
    for line in removed:
        show(f"removed: {line}")
    if not removed:
        show("nothing was left behind")
