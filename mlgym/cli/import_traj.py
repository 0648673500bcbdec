"""`mlgym import-traj`: the original system's published trajectories as run folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from mlgym.cli.options import Json, RunsFolder
from mlgym.cli.output import note, show, show_json
from mlgym.errors import ConfigError


def import_traj(
    path: Annotated[
        Path, typer.Argument(help="A .traj file, or a folder that holds some.", metavar="FILE|DIR")
    ],
    task: Annotated[
        str | None,
        typer.Option("--task", help="The task, where the files do not tell.", metavar="ID"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The model, where the folder's name does not tell."),
    ] = None,
    out: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Make run folders of the original MLGym's trajectories (`.traj`), for `runs` and `report`."""
    from mlgym.runs.foreign import read_traj
    from mlgym.runs.importing import import_run

    files = sorted(each for each in path.rglob("*.traj") if not each.is_symlink())
    if not path.is_dir():
        files = [path]
    if not files:
        raise ConfigError(f"{path}: found no .traj file in it, expected at least one")
    seeds: Counter[tuple[str | None, str | None]] = Counter()
    made: list[str] = []
    broken: list[str] = []
    known = 0
    for file in files:
        try:
            found = read_traj(file)
            whose = (task or found.task, model or found.model)
            run = import_run(found, out, task=task, model=model, seed=seeds[whose])
        except ConfigError as error:
            if file == path:
                raise
            broken.append(str(error))
            note(str(error))
            continue
        seeds[whose] += 1
        known += run is None
        if run is not None:
            made.append(str(run.path))
            if not json:
                show(f"{run.path}: {_told(run.record())}")
    if json:
        show_json({"imported": made, "known": known, "broken": broken})
    else:
        show(f"imported {len(made)} of {len(files)}, {known} known before, {len(broken)} broken")
    if broken:
        raise typer.Exit(2)


def _told(record: dict[str, Any]) -> str:
    score = record["score"]
    value = (
        "no score"
        if score is None
        else f"{score['primary']} {score['metrics'][score['primary']]:.6g}"
    )
    return f"{record['task']}, {record['model'] or 'unknown model'}, {value}"
