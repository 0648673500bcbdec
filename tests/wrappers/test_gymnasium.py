"""Gymnasium's own wrappers of one environment: those that fit work, those that do not say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import CustomSpaceError
from gymnasium.wrappers import (
    Autoreset,
    ClipReward,
    DtypeObservation,
    FlattenObservation,
    FrameStackObservation,
    NormalizeObservation,
    RecordEpisodeStatistics,
    RenderCollection,
    TimeAwareObservation,
    TimeLimit,
    TransformAction,
    TransformObservation,
)

from mlgym.env import MLGymEnv


@pytest.fixture
def env(number_task: Path) -> Iterator[MLGymEnv]:
    env = MLGymEnv(number_task, sandbox="bubblewrap", render_mode="ansi", reward=lambda _: 3.0)
    yield env
    env.close()


def test_those_that_ask_nothing_of_the_spaces_stack(env: MLGymEnv) -> None:
    said: Any = TransformAction(env, lambda word: f"echo {word}", env.action_space)
    said = TransformObservation(said, str.upper, env.observation_space)
    stacked = RecordEpisodeStatistics(TimeLimit(ClipReward(said, -1, 1), 2))
    collected = RenderCollection(Autoreset(stacked))
    collected.reset(seed=0)
    assert collected.step("one")[:2] == ("ONE\n", 1.0)
    _, _, _, truncated, info = collected.step("two")
    assert (truncated, info["episode"]["r"], info["episode"]["l"]) == (True, 2.0, 2)
    assert collected.step("")[0].startswith("WRITE A NUMBER")
    frames = collected.render()
    assert frames is not None
    assert list(frames)[1:3] == ["one\n", "two\n"]


@pytest.mark.parametrize(
    ("wrap", "error", "words"),
    [
        (TimeAwareObservation, ValueError, "TimeLimit"),
        (FlattenObservation, NotImplementedError, "Unicode"),
        (NormalizeObservation, ValueError, "shape"),
        (lambda env: DtypeObservation(env, np.float32), TypeError, "Unicode"),
        (lambda env: FrameStackObservation(env, 2), CustomSpaceError, "Unicode"),
    ],
)
def test_those_of_arrays_refuse_texts_at_once(
    env: MLGymEnv, wrap: Callable[[MLGymEnv], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        wrap(env)
