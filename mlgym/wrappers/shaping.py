"""Rewards of one's own, from all that is known of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, SupportsFloat, cast

import gymnasium as gym

from mlgym.types import Transition

if TYPE_CHECKING:
    from mlgym.env import MLGymEnv


class ShapedReward(gym.Wrapper[str, str, str, str]):
    """The reward of a step is `shape(transition)`, whose `reward` is the environment's own.

    `transition` also has the action, the raw observation, tool, exit code, metrics and duration in
    seconds. For a reward that is made of scores alone see `reward=` of the environment; Gymnasium's
    own `TransformReward` sees the reward alone.
    """

    def __init__(self, env: gym.Env[str, str], shape: Callable[[Transition], float]) -> None:
        super().__init__(env)
        self._shape = shape

    def step(self, action: str) -> tuple[str, SupportsFloat, bool, bool, dict[str, Any]]:
        """As the environment's, but for the reward."""
        observation, _, terminated, truncated, info = self.env.step(action)
        made = cast("MLGymEnv", self.unwrapped).last_transition
        if made is None:
            raise gym.error.ResetNeeded("call reset() first")
        return observation, float(self._shape(made)), terminated, truncated, info
