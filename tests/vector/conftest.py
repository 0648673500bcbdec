"""Vectors of the number task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlgym.vector import MLGymVectorEnv


@pytest.fixture
def make(number_task: Path) -> Iterator[Callable[..., MLGymVectorEnv]]:
    """Makes vectors, of two environments unless more are wanted, and closes them."""
    made: list[MLGymVectorEnv] = []

    def make_one(num_envs: int = 2, **kwargs: Any) -> MLGymVectorEnv:
        made.append(MLGymVectorEnv(number_task, num_envs, **kwargs))
        return made[-1]

    yield make_one
    for envs in made:
        envs.close()
