"""An agent without a model: runs one of the task's own commands, validates, submits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlgym import ConfigError, Decision, Observation, TaskBrief, ToolSpec


class Commands:
    """`settings["command"]` is "baseline" or "solution".

    Where a task has no baseline command, its starter files are the baseline as they lie.
    """

    def __init__(self, settings: Mapping[str, Any], commands: Mapping[str, str | None]) -> None:
        command = commands.get(settings["command"])
        if command is None and settings["command"] == "solution":
            raise ConfigError("the task has no reference solution: its task.yaml names no command")
        self.plan = [*([command] if command else []), "validate", "submit"]
        self.step = 0

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del brief, tools
        self.step = 0

    def act(self, observation: Observation) -> Decision:
        del observation
        action = self.plan[min(self.step, len(self.plan) - 1)]
        self.step += 1
        return Decision(action)
