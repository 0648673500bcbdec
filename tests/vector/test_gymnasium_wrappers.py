"""Gymnasium's own vector wrappers over ours: those that fit work, those that do not say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TransformAction as TransformOneAction
from gymnasium.wrappers import TransformObservation as TransformOneObservation
from gymnasium.wrappers.vector import (
    ClipReward,
    DictInfoToList,
    FilterObservation,
    FlattenObservation,
    HumanRendering,
    NormalizeReward,
    RecordEpisodeStatistics,
    TransformAction,
    TransformObservation,
    TransformReward,
    VectorizeTransformAction,
    VectorizeTransformObservation,
)

from mlgym.vector import MLGymVectorEnv

Make = Callable[..., MLGymVectorEnv]


def pay(context: Any) -> float:
    return 3.0


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_episodes_are_recorded_as_they_end_in_every_mode(make: Make, mode: AutoresetMode) -> None:
    envs = RecordEpisodeStatistics(make(autoreset_mode=mode, reward=pay, max_steps=3))
    envs.reset(seed=0)
    envs.step(("true", "true"))
    _, _, terminations, truncations, infos = envs.step(("true", "forfeit"))
    assert terminations.tolist() == [False, True]
    assert infos["_episode"].tolist() == [False, True]
    assert (infos["episode"]["r"][1], infos["episode"]["l"][1]) == (6, 2)
    if mode is AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": terminations | truncations})
    _, _, _, truncations, infos = envs.step(("true", "true"))
    assert truncations.tolist() == [True, False]
    assert (infos["episode"]["r"][0], infos["episode"]["l"][0]) == (9, 3)
    assert (list(envs.return_queue), list(envs.length_queue)) == ([6, 9], [2, 3])


def test_rewards_are_clipped_transformed_and_normalized(make: Make) -> None:
    envs = TransformReward(ClipReward(make(reward=pay), -1, 2), lambda rewards: rewards * 10)
    envs.reset(seed=0)
    assert envs.step(("true", "true"))[1].tolist() == [20, 20]
    normalized = NormalizeReward(make(reward=pay))
    normalized.reset(seed=0)
    assert normalized.step(("true", "true"))[1].shape == (2,)


def test_observations_and_actions_are_transformed_together_or_one_by_one(make: Make) -> None:
    envs = make()
    shouted = TransformObservation(envs, lambda texts: tuple(map(str.upper, texts)))
    said = TransformAction(shouted, lambda actions: tuple(f"echo {each}" for each in actions))
    said.reset(seed=0)
    assert said.step(("one", "two"))[0] == ("ONE\n", "TWO\n")
    each = VectorizeTransformObservation(
        envs, TransformOneObservation, func=str.upper, observation_space=None
    )
    each = VectorizeTransformAction(
        each, TransformOneAction, func=lambda each: f"echo {each}", action_space=None
    )
    assert each.reset(seed=0)[0][0].startswith("WRITE A NUMBER")
    assert each.step(("one", "two"))[0] == ("ONE\n", "TWO\n")


def test_infos_come_as_a_list_of_each_environment_s(make: Make) -> None:
    envs = DictInfoToList(make())
    assert [info["step"] for info in envs.reset(seed=0)[1]] == [0, 0]
    infos = envs.step(("(exit 3)", "forfeit"))[4]
    assert infos[0]["exit_code"] == 3
    assert "exit_reason" not in infos[0]
    assert infos[1]["exit_reason"] == "forfeited"
    assert np.asarray(infos[1]["remaining_steps"]) == 49


@pytest.mark.parametrize(
    ("wrapper", "error"),
    [
        (FlattenObservation, NotImplementedError),
        (lambda envs: FilterObservation(envs, ["text"]), ValueError),
        (HumanRendering, ValueError),
    ],
)
def test_wrappers_of_arrays_and_pictures_refuse_texts_at_once(
    make: Make, wrapper: Callable[[MLGymVectorEnv], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        wrapper(make())
