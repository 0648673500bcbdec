"""Whether a task's primary metric is to be maximized or minimized."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from mlgym import catalog
from mlgym.errors import MLGymError

Goal = Literal["maximize", "minimize"]


class Goals:
    """Remembers what the catalogue said of a task."""

    def __init__(self) -> None:
        self._known: dict[str, Goal | None] = {}

    def of(self, task: str | None, record: Mapping[str, Any]) -> Goal | None:
        """As the run's record shows it, else as the catalogue says; None where neither tells."""
        shown = _shown(record)
        if shown is not None or task is None:
            return shown
        if task not in self._known:
            self._known[task] = _declared(task)
        return self._known[task]


def _shown(record: Mapping[str, Any]) -> Goal | None:
    """On which side of the baseline a positive place lies."""
    for name in ("score", "best_validation"):
        try:
            score = record[name]
            metric = score["primary"]
            way = score["metrics"][metric] - record["baseline"][metric]
            place = way * score["normalized"]
            if math.isfinite(place) and place != 0:
                return "maximize" if place > 0 else "minimize"
        except (KeyError, TypeError, OverflowError):
            continue
    return None


def _declared(task: str) -> Goal | None:
    from mlgym.task.spec import load_task

    try:
        # Only a task of the catalogue: a record could name any folder.
        folder = catalog.shelf("tasks").get(task)
        return load_task(folder).spec.primary.goal if folder is not None else None
    except MLGymError:
        return None
