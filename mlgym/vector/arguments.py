"""What a vector of environments is called with: tasks, modes, seeds, masks, ids. Checked here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlgym.errors import ConfigError
from mlgym.task.spec import Task, find_task


def find_tasks(tasks: Sequence[str | Path]) -> dict[str, Task]:
    """The tasks by the names they were asked for, each loaded once."""
    found: dict[str, Task] = {}
    for task in tasks:
        wanted = task
        if isinstance(task, str) and task in gym.registry:
            wanted = gym.spec(task).kwargs["task"]
        found[str(task)] = find_task(wanted)
    if not found:
        raise ConfigError("tasks: found none, expected at least one")
    return found


def mode_of(wanted: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(wanted)
    except ValueError:
        known = ", ".join(repr(mode.value) for mode in AutoresetMode)
        raise ConfigError(f"autoreset_mode: found {wanted!r}, expected one of {known}") from None


def seeds_for(seed: int | Sequence[int | None] | None, count: int) -> Sequence[int | None]:
    if seed is None:
        return [None] * count
    if isinstance(seed, int):
        return [seed + number for number in range(count)]
    if len(seed) != count:
        raise ValueError(f"seed: found {len(seed)} of them, expected {count}")
    return seed


def chosen_by(mask: object, count: int) -> list[int]:
    """The numbers where a mask is true."""
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"mask: found {type(mask).__name__}, expected a numpy array")
    flags = cast("NDArray[Any]", mask)
    if flags.dtype != np.bool_:
        raise TypeError(f"mask: found the dtype {flags.dtype}, expected bool")
    if flags.shape != (count,) or not flags.any():
        raise ValueError(
            f"mask: found {flags.tolist()}, expected {count} booleans, at least one of them true"
        )
    return [int(number) for number in np.flatnonzero(flags)]


def different_ids(
    env_ids: Sequence[int] | NDArray[np.int64], actions: int, count: int
) -> list[int]:
    """The ids as numbers, as many as `actions`. Raises ValueError: not so many, twice, unknown."""
    ids = [int(number) for number in env_ids]
    if len(ids) != actions or len(set(ids)) != len(ids):
        raise ValueError(f"env_ids: found {ids}, expected {actions} different ones")
    wrong = [number for number in ids if not 0 <= number < count]
    if wrong:
        raise ValueError(f"env_ids: found {wrong}, expected 0 to {count - 1}")
    return ids
