"""What `mlgym eval` prints: of a suite that was played, and of one that would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgym.cli.output import money, show, show_table

if TYPE_CHECKING:
    from mlgym.runs.suite.plan import Plan
    from mlgym.runs.suite.progress import Progress


def show_dry_run(
    plan: Plan, folder: Path, progress: Progress, states: Sequence[str], json: bool
) -> dict[str, Any]:
    """The cells, what has been done of them, and how much the rest takes; shown unless `json`."""
    from mlgym.runs.suite.estimate import estimate

    cells = [
        {**one.cell.to_json(), "state": state, "score": one.score}
        for one, state in zip(progress.cells, states, strict=True)
    ]
    guess = estimate(plan, progress)
    if not json:
        show_table(
            ("CELL", "STATE", "SCORE"),
            ((one["key"], one["state"], _score(one["score"])) for one in cells),
        )
        steps, cost = guess["steps"], guess["cost_usd"]
        show(f"\nto be played  {guess['cells']} of {len(cells)} cells, {progress.jobs} at a time")
        show(f"steps         {steps['value']:.0f} ({steps['basis']})")
        show(f"cost          {money(cost['value'])} ({cost['basis']})")
    return {"folder": str(folder), "data": plan.data, "cells": cells, "left": guess}


def show_summary(content: dict[str, Any]) -> None:
    """The summary of a suite."""
    show("")
    show_table(
        ("TASK", "AGENT", "MODEL", "SCORED", "MEAN SCORE"),
        (
            (
                row["task"],
                row["agent"],
                row["model"] or "-",
                f"{row['scored']}/{row['cells']}",
                _score(row["mean_score"]),
            )
            for row in content["groups"]
        ),
    )
    counts = dict(content["counts"])
    total = counts.pop("cells")
    show(f"\ncells     {total}: {', '.join(f'{many} {name}' for name, many in counts.items())}")
    show(f"cost      {money(content['cost_usd'])}")
    if content["failures"]:
        told = ", ".join(f"{many} {kind}" for kind, many in content["failures"].items())
        show(f"failures  {told}; counted apart")
    for one in content["cells"]:
        if one["state"] in ("null", "refused"):
            show(f"{one['state'].ljust(9)} {one['key']}: {one['reason']}")
    for one in content["lost_sandboxes"]:
        show(f"lost      {one['run']}: its sandbox, at step {one['step']}: {one['action']}")
    for name in content["begun_anew"]:
        show(f"anew      {name}: it was cut off and could not be resumed")
    show(f"suite     {content['folder']}  (`mlgym report {content['folder']}` reports it)")


def _score(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"
