"""An agent that repeats what another one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgym import (
    ConfigError,
    Decision,
    ExitReason,
    Observation,
    TaskBrief,
    ToolSpec,
    read_trajectory,
)


class Replay:
    """`settings["file"]` is a run's folder or a `trajectory.jsonl`.

    Where its actions are used up and the episode goes on, the recorded one was ended from outside
    or cut off, and so is this one.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        file = settings.get("file")
        if not isinstance(file, str | Path):
            raise ConfigError(
                f"replay: settings.file: found {file!r}, expected the path of a run's folder or of"
                " a trajectory.jsonl"
            )
        path = Path(file)
        recorded = read_trajectory(path / "trajectory.jsonl" if path.is_dir() else path)
        pairs = list(zip([*recorded[:1], *recorded], recorded, strict=False))
        # Where an action was not taken in the state that the one before it led to, go back there.
        gone = {
            item.step: item.parent
            for before, item in pairs
            if item.parent not in (None, before.step)
        }
        wanted = set(gone.values())
        self.decisions = [
            Decision(
                item.action, item.thought, goto=gone.get(item.step), keep=before.step in wanted
            )
            for before, item in pairs
            if item.action is not None
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
