"""Wrappers for training: tokens instead of text, a history, shaped rewards, masked tools."""

from __future__ import annotations

from mlgym.wrappers.history import History
from mlgym.wrappers.masking import MaskTools
from mlgym.wrappers.shaping import ShapedReward
from mlgym.wrappers.tokens import TokenIds

__all__ = ["History", "MaskTools", "ShapedReward", "TokenIds"]
