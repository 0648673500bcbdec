"""Token ids in the place of text, for policies that speak them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Tokens = dict[str, NDArray[np.int64]]


class Tokenizer(Protocol):
    """What both `transformers` tokenizers and `tokenizers.Tokenizer` have."""

    def encode(self, text: str, *, add_special_tokens: bool) -> Any: ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> Any: ...


class TokenIds(gym.Wrapper[Any, Any, Any, Any]):
    """Observations and actions are token ids of `tokenizer`: any of Hugging Face's, fast or slow.

    An observation is a dict of two arrays of `max_length` whole numbers (int64), as models take
    them: `input_ids`, padded at its end with `pad`, and `attention_mask`, 1 where a token stands.
    Of a longer text its beginning and its end are kept, half each, and its middle is not;
    `info["tokens"]` is how many it had.

    An action is a sequence of at most `max_action` ids; what follows the first `end` is not part of
    it, nor are special tokens. `pad` and `end` are the tokenizer's own where they are not given.

    Raises ValueError for an action that is none, and where no `pad` is known.
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        tokenizer: Tokenizer,
        *,
        max_length: int = 2048,
        max_action: int = 512,
        pad: int | None = None,
        end: int | None = None,
    ) -> None:
        super().__init__(env)
        size = _size(tokenizer)
        own_end: int | None = getattr(tokenizer, "eos_token_id", None)
        own_pad: int | None = getattr(tokenizer, "pad_token_id", None)
        self._end = own_end if end is None else end
        known = [each for each in (pad, own_pad, self._end) if each is not None]
        if not known:
            raise ValueError("pad: the tokenizer has neither a padding nor an end token; give one")
        self._pad = known[0]
        self._tokenizer = tokenizer
        self._max_length, self._max_action = max_length, max_action
        self.observation_space = spaces.Dict(
            {
                "input_ids": spaces.Box(0, size - 1, (max_length,), np.int64),
                "attention_mask": spaces.Box(0, 1, (max_length,), np.int64),
            }
        )
        self.action_space = spaces.Sequence(spaces.Discrete(size))
        self._size = size

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tokens, dict[str, Any]]:
        """As the environment's, in tokens."""
        text, info = self.env.reset(seed=seed, options=options)
        return self._observed(text, info)

    def step(
        self, action: Sequence[int]
    ) -> tuple[Tokens, SupportsFloat, bool, bool, dict[str, Any]]:
        """As the environment's, in tokens."""
        text, reward, terminated, truncated, info = self.env.step(self.text_of(action))
        observation, info = self._observed(text, info)
        return observation, reward, terminated, truncated, info

    def text_of(self, action: Sequence[int]) -> str:
        """The text that these ids stand for."""
        ids = [int(each) for each in action]
        if len(ids) > self._max_action:
            raise ValueError(f"the action has {len(ids)} ids, expected at most {self._max_action}")
        if ids and not 0 <= min(ids) <= max(ids) < self._size:
            raise ValueError(f"the action has an id outside of 0 to {self._size - 1}")
        if self._end is not None and self._end in ids:
            ids = ids[: ids.index(self._end)]
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _observed(self, text: str, info: dict[str, Any]) -> tuple[Tokens, dict[str, Any]]:
        found = self._tokenizer.encode(text, add_special_tokens=False)
        ids: list[int] = list(getattr(found, "ids", found))
        info["tokens"] = len(ids)
        if len(ids) > self._max_length:
            tail = self._max_length // 2
            ids = ids[: self._max_length - tail] + (ids[-tail:] if tail else [])
        padded = np.full(self._max_length, self._pad, np.int64)
        padded[: len(ids)] = ids
        mask = np.zeros(self._max_length, np.int64)
        mask[: len(ids)] = 1
        return {"input_ids": padded, "attention_mask": mask}, info


def _size(tokenizer: Any) -> int:
    """How many ids there are, added ones too."""
    if hasattr(tokenizer, "get_vocab_size"):
        return int(tokenizer.get_vocab_size())
    return len(tokenizer)
