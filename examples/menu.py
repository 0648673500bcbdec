"""What the examples' small policies see and do: words of an observation, a menu of actions."""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray

MENU = (
    "cat strategy.py",
    'open "strategy.py"',
    "edit 9:9\n        return 1\nend_of_edit",
    "edit 10:10\n    return 0\nend_of_edit",
    "edit 10:10\n    return 1\nend_of_edit",
    "edit 10:10\n    return history[-1][1]\nend_of_edit",
    "python baseline.py",
    "submit",
)
"""Shell and edit actions on the starter files of `battle_of_sexes`. Which help, none says."""
WORDS = 512
SIZE = WORDS + 1


def features(observation: str) -> NDArray[np.float64]:
    """Which words an observation has, hashed, and a constant: shape `(SIZE,)`, length 1."""
    found = np.zeros(SIZE)
    found[-1] = 1.0
    for word in set(re.findall(r"\w+|[^\w\s]", observation)):
        found[zlib.crc32(word.encode()) % WORDS] = 1.0
    return found / np.linalg.norm(found)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis."""
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)
