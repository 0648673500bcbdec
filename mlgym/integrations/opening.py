"""How an episode is told to a model that a trainer runs."""

from __future__ import annotations

from collections.abc import Sequence

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.types import ToolSpec

SYSTEM = (
    "You are a machine-learning researcher at work in a Linux sandbox, with no human to ask. Hand"
    " in a submission that scores as well as you can make it on a hidden test set. `validate`"
    " grades it on a hidden validation set and may be used often; `submit` grades it on the test"
    " set and ends the work. Every reply must call a tool."
)


_PICTURES = ("view_image",)
"""Answers with what a conversation of texts cannot hold."""


def in_text(tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """Those tools that answer in text. Raises ConfigError where none is left."""
    found = [tool for tool in tools if tool.name not in _PICTURES]
    if not found:
        raise ConfigError("tools: found none that answers in text, expected at least one")
    return found


def told(env: MLGymEnv) -> str:
    """The brief as the first message of the user's."""
    brief = env.brief
    return (
        f"# {brief.title}\n\n{brief.description}\n\n"
        f"Metric: {brief.metric} ({brief.goal}). Baseline: {brief.baseline:.6g}."
        f" Budget: {brief.limits.steps} steps."
    )
