"""The vector of environments behind Gymnasium's interface: its own test patterns, and equality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from alike import ACTIONS, same
from gymnasium.error import (
    AlreadyPendingCallError,
    ClosedEnvironmentError,
    NoAsyncCallError,
    ResetNeeded,
)
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import batch_space

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.vector import MLGymVectorEnv

MODES = list(AutoresetMode)
Make = Callable[..., MLGymVectorEnv]


@pytest.mark.parametrize("mode", MODES)
def test_every_step_equals_that_of_gymnasiums_own_vector(
    make: Make, number_task: Path, mode: AutoresetMode
) -> None:
    chance = np.random.default_rng(MODES.index(mode))
    kwargs: dict[str, Any] = {"max_steps": 6}
    ours = make(2, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: MLGymEnv(number_task, **kwargs)] * 2, autoreset_mode=mode)
    try:
        same(ours.reset(seed=7), theirs.reset(seed=7))
        same(ours.np_random_seed, theirs.np_random_seed)
        ends = 0
        for _ in range(14):
            actions = tuple(ACTIONS[index] for index in chance.integers(len(ACTIONS), size=2))
            mine, other = ours.step(actions), theirs.step(actions)
            same(mine, other)
            over = mine[2] | mine[3]
            ends += int(over.sum())
            if mode is AutoresetMode.DISABLED and over.any():
                mask = {"reset_mask": over}
                same(ours.reset(options=dict(mask)), theirs.reset(options=dict(mask)))
        assert ends > 3
    finally:
        theirs.close()


def test_gym_makes_it_of_a_registered_id_with_a_plain_keyword() -> None:
    envs = gym.make_vec("mlgym/house_price-v1", num_envs=3, autoreset_mode="SameStep", max_steps=4)
    assert isinstance(envs, MLGymVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert (envs.num_envs, envs.envs[2].max_steps, envs.closed) == (3, 4, False)
    assert envs.spec is not None
    assert envs.single_action_space == envs.envs[0].action_space
    assert envs.action_space == batch_space(envs.single_action_space, 3)
    assert envs.observation_space == batch_space(envs.single_observation_space, 3)
    assert all(envs.action_space.sample()[0].startswith("echo ") for _ in range(3))
    envs.close()
    default = gym.make_vec("mlgym/house_price-v1")
    assert default.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    default.close()


def test_seeds_are_counted_up_or_given_one_by_one(make: Make) -> None:
    envs = make()
    observations, infos = envs.reset(seed=[5, None])
    assert observations in envs.observation_space
    assert infos["remaining_steps"].tolist() == [50, 50]
    assert envs.np_random_seed[0] == 5
    envs.reset(seed=10)
    assert envs.np_random_seed == (10, 11)
    first = [generator.random() for generator in envs.np_random]
    assert first == [np.random.default_rng(10).random(), np.random.default_rng(11).random()]
    with pytest.raises(ValueError, match="found 1 of them, expected 2"):
        envs.reset(seed=[1])


def test_attributes_are_called_got_and_set(make: Make) -> None:
    envs = make()
    envs.reset()
    assert envs.get_attr("max_steps") == (50, 50)
    envs.set_attr("max_steps", [1, 2])
    envs.set_attr("mood", "good")
    assert envs.get_attr("mood") == ("good", "good")
    with pytest.raises(ValueError, match="found 1, expected 2"):
        envs.set_attr("mood", ["bad"])
    assert envs.step(("true", "true"))[3].tolist() == [True, False]
    assert envs.call("render") == envs.render()


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ([True, False], TypeError),
        (np.array([1, 0]), TypeError),
        (np.array([True]), ValueError),
        (np.array([False, False]), ValueError),
    ],
)
def test_a_mask_is_of_booleans_one_each_and_not_empty(
    make: Make, mask: Any, error: type[Exception]
) -> None:
    envs = make()
    with pytest.raises(error, match="mask: found"):
        envs.reset(options={"reset_mask": mask})
    with pytest.raises(error, match="mask: found"):
        envs.step(("a", "b"), mask)


def test_who_is_left_out_of_a_step_stays_as_it_was(make: Make) -> None:
    envs = make()
    envs.reset()
    envs.step(("echo 0", "echo 1"))
    observations, rewards, terminations, truncations, infos = envs.step(
        ("", "forfeit"), np.array([False, True])
    )
    assert observations[0] == "0\n"
    assert (rewards.tolist(), truncations.tolist()) == ([0, 0], [False, False])
    assert (terminations.tolist(), infos["_step"].tolist()) == ([False, True], [False, True])
    with pytest.raises(ResetNeeded, match=r"\[1\] are over"):
        envs.step(("echo 2", "echo 2"))
    texts, infos = envs.reset(options={"reset_mask": terminations})
    assert texts[0] == "0\n"
    assert texts[1].startswith("Write a number")
    assert infos["_step"].tolist() == [False, True]
    assert envs.step(("echo 3", "echo 3"))[4]["step"].tolist() == [2, 1]


def test_calls_out_of_turn_are_refused_as_gymnasium_refuses_them(make: Make) -> None:
    envs = make()
    with pytest.raises(ValueError, match="found 1, expected 2"):
        envs.step(("echo",))
    envs.reset()
    with pytest.raises(NoAsyncCallError):
        envs.step_wait()
    with pytest.raises(NoAsyncCallError):
        envs.recv()
    envs.step_async(("sleep 5", "true"))
    for early in (envs.reset, lambda: envs.call("render"), lambda: envs.step(("", ""))):
        with pytest.raises(AlreadyPendingCallError):
            early()
    with pytest.raises(TimeoutError):
        envs.step_wait(timeout=0.05)
    envs.close()  # with a step under way
    envs.close()
    with pytest.raises(ClosedEnvironmentError):
        envs.step(("", ""))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"num_envs": 0}, "num_envs: found 0"),
        ({"autoreset_mode": "never"}, "autoreset_mode: found 'never', expected one of 'NextStep'"),
        ({"max_steps": 0}, "max_steps is 0"),
    ],
)
def test_bad_arguments_are_refused_at_once(make: Make, kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**kwargs)
