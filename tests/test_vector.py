"""The vector of environments behind Gymnasium's interface: its own test patterns, and equality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from mlgym.env import MLGymEnv
from mlgym.vector import MLGymVectorEnv

MODES = list(AutoresetMode)
Make = Callable[..., MLGymVectorEnv]


@pytest.fixture
def make(number_task: Path) -> Iterator[Make]:
    """Makes vectors of the number task, and closes them."""
    made: list[MLGymVectorEnv] = []

    def make_one(num_envs: int = 2, **kwargs: Any) -> MLGymVectorEnv:
        made.append(MLGymVectorEnv(number_task, num_envs, **kwargs))
        return made[-1]

    yield make_one
    for envs in made:
        envs.close()


def same(ours: object, theirs: object) -> None:
    """Whether two parts of what a vector returns are equal, and of one type."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs)
        for key in ours:
            same(ours[key], theirs[key])
    elif isinstance(ours, tuple) and isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert ours == theirs


ACTIONS = (
    "echo $((A += 1)) $PWD",
    "cd /tmp; false",
    "echo 4 > /workspace/answer.txt",
    "echo nonsense > /workspace/answer.txt",
    "validate",
    "submit",
    "forfeit",
    'open "README.md"',
    "sh -c 'exit 3' | cat; sleep 0.01",
    "",
    "no_such_program",
)


@pytest.mark.parametrize("mode", MODES)
def test_every_step_equals_that_of_gymnasiums_own_vector(
    make: Make, number_task: Path, mode: AutoresetMode
) -> None:
    chance = np.random.default_rng(MODES.index(mode))
    kwargs: dict[str, Any] = {"max_steps": 6}
    ours = make(3, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: MLGymEnv(number_task, **kwargs)] * 3, autoreset_mode=mode)
    try:
        same(ours.reset(seed=7), theirs.reset(seed=7))
        same(ours.np_random_seed, theirs.np_random_seed)
        ends = 0
        for _ in range(20):
            actions = tuple(ACTIONS[index] for index in chance.integers(len(ACTIONS), size=3))
            mine, other = ours.step(actions), theirs.step(actions)
            same(mine, other)
            over = mine[2] | mine[3]
            ends += int(over.sum())
            if mode is AutoresetMode.DISABLED and over.any():
                mask = {"reset_mask": over}
                same(ours.reset(options=dict(mask)), theirs.reset(options=dict(mask)))
        assert ends > 5
    finally:
        theirs.close()
