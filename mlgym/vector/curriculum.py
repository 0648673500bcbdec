"""Which task an environment of a vector plays next: samplers, and what they are asked.

A sampler is any function of a `Pick`. What it learns from is in `pick.ended`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlgym.errors import ConfigError
from mlgym.types import ExitReason


@dataclass(frozen=True, slots=True)
class Ended:
    """An episode that is over. `score` is the normalized one, None where there is none.

    `exit_reason` is None where it was left before its end. Where that `is_infrastructure` the
    episode says nothing of the task.
    """

    task: str
    total_reward: float
    score: float | None
    exit_reason: ExitReason | None


@dataclass(frozen=True, slots=True)
class Pick:
    """An environment is reset: which of `tasks` shall it play?

    `env_id` is its number, `episode` how many it has begun, `ended` its last one. `rng` is its own,
    and follows from the seed of its last seeded reset.
    """

    tasks: tuple[str, ...]
    env_id: int
    episode: int
    ended: Ended | None
    rng: np.random.Generator


Sampler = Callable[[Pick], str]
"""Gives one of `pick.tasks`."""


def round_robin(pick: Pick) -> str:
    """Each environment plays all tasks in turn, the next one beginning a task further."""
    return pick.tasks[(pick.env_id + pick.episode) % len(pick.tasks)]


def weighted(weights: Mapping[str, float]) -> Sampler:
    """Each task as often as its weight says, by chance; those without one never.

    The mapping may be changed while it is used. Raises ConfigError where no weight is positive.
    """

    def pick_one(pick: Pick) -> str:
        shares = np.array([max(0.0, weights.get(task, 0.0)) for task in pick.tasks])
        if not shares.sum() > 0:
            raise ConfigError(f"weights: found {dict(weights)}, expected one above 0")
        return pick.tasks[int(pick.rng.choice(len(pick.tasks), p=shares / shares.sum()))]

    return pick_one
