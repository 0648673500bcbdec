"""MLGym: a Gymnasium environment whose episodes are machine-learning research.

Importing it makes the tasks known to Gymnasium by id (`mlgym/house_price-v1`); everything else is
loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlgym.registration import register_builtin, register_packs

if TYPE_CHECKING:
    from mlgym.agent import Agent, Decision, Observation
    from mlgym.env import MLGymEnv
    from mlgym.errors import (
        ConfigError,
        MLGymError,
        ModelError,
        SandboxError,
        SubmissionError,
        TaskError,
    )
    from mlgym.reward import RewardContext
    from mlgym.snapshot import Snapshot
    from mlgym.types import ExitReason, Score, TaskBrief, ToolSpec, Transition

__all__ = [
    "Agent",
    "ConfigError",
    "Decision",
    "ExitReason",
    "MLGymEnv",
    "MLGymError",
    "ModelError",
    "Observation",
    "RewardContext",
    "SandboxError",
    "Score",
    "Snapshot",
    "SubmissionError",
    "TaskBrief",
    "TaskError",
    "ToolSpec",
    "Transition",
    "register_packs",
]

_HOMES = {
    "mlgym.agent": ("Agent", "Decision", "Observation"),
    "mlgym.env": ("MLGymEnv",),
    "mlgym.errors": (
        "ConfigError",
        "MLGymError",
        "ModelError",
        "SandboxError",
        "SubmissionError",
        "TaskError",
    ),
    "mlgym.reward": ("RewardContext",),
    "mlgym.snapshot": ("Snapshot",),
    "mlgym.types": ("ExitReason", "Score", "TaskBrief", "ToolSpec", "Transition"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'mlgym' has no attribute {name!r}")


register_builtin()
