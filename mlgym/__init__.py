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
    from mlgym.catalog import home
    from mlgym.chat.chat import Chat
    from mlgym.chat.conversation import Conversation, cut, without_thoughts
    from mlgym.chat.policy import ContextPolicy
    from mlgym.env import MLGymEnv
    from mlgym.errors import (
        ConfigError,
        MLGymError,
        ModelError,
        SandboxError,
        SubmissionError,
        TaskError,
    )
    from mlgym.inner import InnerAgent, MakeAgent
    from mlgym.models.base import Model, ModelToolCall, Reply
    from mlgym.report.frame import load_runs
    from mlgym.reward import RewardContext
    from mlgym.snapshot import Snapshot
    from mlgym.tools.base import ActionError
    from mlgym.tools.registry import action_of
    from mlgym.tools.typed import is_whole, split_actions
    from mlgym.trajectory import read_trajectory
    from mlgym.types import (
        BriefLimits,
        ExitReason,
        Image,
        Score,
        TaskBrief,
        ToolSpec,
        Transition,
        Usage,
    )
    from mlgym.vector import MLGymVectorEnv, make_vec
    from mlgym.vector.collecting import Experience, rollouts
    from mlgym.vector.curriculum import Ended, Pick, round_robin, weighted

__all__ = [
    "ActionError",
    "Agent",
    "BriefLimits",
    "Chat",
    "ConfigError",
    "ContextPolicy",
    "Conversation",
    "Decision",
    "Ended",
    "ExitReason",
    "Experience",
    "Image",
    "InnerAgent",
    "MLGymEnv",
    "MLGymError",
    "MLGymVectorEnv",
    "MakeAgent",
    "Model",
    "ModelError",
    "ModelToolCall",
    "Observation",
    "Pick",
    "Reply",
    "RewardContext",
    "SandboxError",
    "Score",
    "Snapshot",
    "SubmissionError",
    "TaskBrief",
    "TaskError",
    "ToolSpec",
    "Transition",
    "Usage",
    "action_of",
    "cut",
    "home",
    "is_whole",
    "load_runs",
    "make_vec",
    "read_trajectory",
    "register_packs",
    "rollouts",
    "round_robin",
    "split_actions",
    "weighted",
    "without_thoughts",
]

_HOMES = {
    "mlgym.agent": ("Agent", "Decision", "Observation"),
    "mlgym.catalog": ("home",),
    "mlgym.chat.chat": ("Chat",),
    "mlgym.chat.conversation": ("Conversation", "cut", "without_thoughts"),
    "mlgym.chat.policy": ("ContextPolicy",),
    "mlgym.env": ("MLGymEnv",),
    "mlgym.errors": (
        "ConfigError",
        "MLGymError",
        "ModelError",
        "SandboxError",
        "SubmissionError",
        "TaskError",
    ),
    "mlgym.inner": ("InnerAgent", "MakeAgent"),
    "mlgym.models.base": ("Model", "ModelToolCall", "Reply"),
    "mlgym.report.frame": ("load_runs",),
    "mlgym.reward": ("RewardContext",),
    "mlgym.snapshot": ("Snapshot",),
    "mlgym.tools.base": ("ActionError",),
    "mlgym.tools.registry": ("action_of",),
    "mlgym.tools.typed": ("is_whole", "split_actions"),
    "mlgym.trajectory": ("read_trajectory",),
    "mlgym.types": (
        "BriefLimits",
        "ExitReason",
        "Image",
        "Score",
        "TaskBrief",
        "ToolSpec",
        "Transition",
        "Usage",
    ),
    "mlgym.vector": ("MLGymVectorEnv", "make_vec"),
    "mlgym.vector.collecting": ("Experience", "rollouts"),
    "mlgym.vector.curriculum": ("Ended", "Pick", "round_robin", "weighted"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'mlgym' has no attribute {name!r}")


register_builtin()
