"""An observation that holds what came before it, for policies that keep no memory."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium as gym

from mlgym.spaces import Unicode
from mlgym.wording import OBSERVATIONS


class History(gym.Wrapper[str, str, str, str], gym.utils.RecordConstructorArgs):
    """Observations are the task's brief and the last `length` exchanges, oldest first.

    An exchange is the action after `> `, then what came of it. Of a text longer than `max_chars`
    code points the oldest exchanges are left out, and the beginning of the last one if need be;
    with `brief=False` the brief is left out from the second exchange on.
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        length: int = 8,
        *,
        max_chars: int = OBSERVATIONS.max_length,
        brief: bool = True,
    ) -> None:
        if length < 1 or max_chars < 1:
            raise ValueError(
                f"length is {length} and max_chars is {max_chars}, expected at least 1"
            )
        gym.utils.RecordConstructorArgs.__init__(
            self, length=length, max_chars=max_chars, brief=brief
        )
        super().__init__(env)
        self.observation_space = Unicode(max_chars)
        self._max_chars = max_chars
        self._brief = brief
        self._first = ""
        self._exchanges: deque[str] = deque(maxlen=length)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """As the environment's; the observation is the brief."""
        self._first, info = self.env.reset(seed=seed, options=options)
        self._exchanges.clear()
        return self._first[: self._max_chars], info

    def step(self, action: str) -> tuple[str, Any, bool, bool, dict[str, Any]]:
        """As the environment's; the observation ends with what came of `action`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._exchanges.append(f"> {action}\n{observation}")
        return self._text(), reward, terminated, truncated, info

    def _text(self) -> str:
        head = [self._first] if self._brief else []
        kept = list(self._exchanges)
        while len(kept) > 1 and len("\n".join([*head, *kept])) > self._max_chars:
            kept.pop(0)
        return "\n".join([*head, *kept])[-self._max_chars :]
