"""Wrappers for training: tokens instead of text, a history, shaped rewards."""

from __future__ import annotations

from mlgym.wrappers.history import History
from mlgym.wrappers.shaping import ShapedReward
from mlgym.wrappers.tokens import TokenIds

__all__ = ["History", "ShapedReward", "TokenIds"]
