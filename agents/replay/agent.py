"""An agent that repeats what another one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgym.agent import Decision, Observation
from mlgym.trajectory import read_trajectory
from mlgym.types import ExitReason, TaskBrief, ToolSpec


class Replay:
    """`settings["file"]` is a `trajectory.jsonl`. At its end the episode is finished."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if "file" not in settings:
            raise ValueError("settings.file names no trajectory")
        recorded = read_trajectory(Path(settings["file"]))
        self.decisions = [
            Decision(item.action, item.thought) for item in recorded if item.action is not None
        ]
        self.step = 0

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del brief, tools
        self.step = 0

    def act(self, observation: Observation) -> Decision:
        del observation
        if self.step >= len(self.decisions):
            return Decision("", finish=ExitReason.INTERRUPTED)
        self.step += 1
        return self.decisions[self.step - 1]
