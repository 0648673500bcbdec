"""Tools that an action may call now, for policies that choose among tools."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, SupportsFloat, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mlgym.errors import unknown_name

if TYPE_CHECKING:
    from mlgym.env import MLGymEnv

Allowed = Collection[str] | Callable[[Any, dict[str, Any]], Collection[str]]
MASK = "tool_mask"


class MaskTools(gym.Wrapper[Any, Any, Any, Any]):
    """Only the tools of `allowed` may be called; `tool_names` are all, in the order of the mask.

    `allowed` are names, or a function that gives them for the next action from the observation and
    the info before it, a reset's too. Each info has the `tool_mask`, as Gymnasium's own
    environments have an `action_mask`: an int8 array of shape `(len(tool_names),)`, 1 where the
    next action may call that tool. `bash` stands for every text that is no other tool's call.

    An action that calls a masked tool runs nothing and is a step like any other: it is counted, and
    its observation names what is allowed.

    Raises ConfigError: a name that is none of the environment's tools.
    """

    def __init__(self, env: gym.Env[Any, Any], allowed: Allowed) -> None:
        super().__init__(env)
        self._inner = cast("MLGymEnv", env.unwrapped)
        self.tool_names = tuple(spec.name for spec in self._inner.tools)
        self._allowed = allowed
        if not callable(allowed):
            self._mask(allowed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment's, with the mask of the first action."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, MASK: self._next(observation, info)}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As the environment's, with the mask of the next action."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        masked = {**info, MASK: self._next(observation, info)}
        return observation, reward, terminated, truncated, masked

    def _next(self, observation: Any, info: dict[str, Any]) -> NDArray[np.int8]:
        allowed = self._allowed
        return self._mask(allowed(observation, info) if callable(allowed) else allowed)

    def _mask(self, allowed: Collection[str]) -> NDArray[np.int8]:
        for name in allowed:
            if name not in self.tool_names:
                raise unknown_name("tool", name, self.tool_names, "mlgym agents list")
        self._inner.masked = frozenset(self.tool_names).difference(allowed)
        return np.array([name in allowed for name in self.tool_names], np.int8)
