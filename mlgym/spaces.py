"""The space of actions and observations: Unicode text up to a length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium as gym

_ALPHANUMERICS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SAMPLED = 12


class Unicode(gym.Space[str]):
    """Any text of at most `max_length` code points that UTF-8 can encode, the empty one too.

    Gymnasium's own `Text` lists its characters; ours are all of Unicode but lone surrogates.
    `sample()` gives `echo` with a few letters and digits: a harmless action.
    """

    def __init__(self, max_length: int = 1 << 20, seed: int | None = None) -> None:
        if max_length < 1:
            raise ValueError(f"max_length is {max_length}, expected at least 1")
        self.max_length = max_length
        super().__init__(None, str, seed)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A text `echo <alphanumerics>`, cut to `max_length`.

        Raises ValueError for a mask or a probability: this space has neither.
        """
        if mask is not None or probability is not None:
            raise ValueError("a Unicode space takes neither mask nor probability")
        picked = self.np_random.integers(len(_ALPHANUMERICS), size=_SAMPLED)
        word = "".join(_ALPHANUMERICS[index] for index in picked)
        return f"echo {word}"[: self.max_length]

    def contains(self, x: Any) -> bool:
        if not isinstance(x, str) or len(x) > self.max_length:
            return False
        if x.isascii():
            return True
        try:
            x.encode()
        except UnicodeEncodeError:
            return False
        return True

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        return list(sample_n)

    def from_jsonable(self, sample_n: list[Any]) -> list[str]:
        return [str(sample) for sample in sample_n]

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode) and self.max_length == other.max_length

    def __hash__(self) -> int:
        return hash((Unicode, self.max_length))
