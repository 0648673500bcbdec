"""The one scale on which all metrics meet: 0 at a task's baseline, 1 at its target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from mlgym.task.spec import Task


def place_of(
    metric: float, baseline: float, target: float, scale: Literal["linear", "log"]
) -> float:
    """`(metric - baseline) / (target - baseline)`, in logs where the scale is `log`; unclipped.

    -inf where the metric does not exist on the scale (NaN; not positive on `log`).
    """
    if math.isnan(metric) or (scale == "log" and metric <= 0):
        return -math.inf
    place: Callable[[float], float] = math.log if scale == "log" else float
    start, end = place(baseline), place(target)
    return (place(metric) - start) / (end - start)


def normalized(task: Task, profile: str, metric: float) -> float:
    """The place of a value of the task's primary metric on the scale of one data profile."""
    primary, values = task.spec.primary, task.spec.profile(profile)
    return place_of(
        metric, values.baseline[primary.name], values.target[primary.name], primary.scale
    )
