"""What an agent is: told the brief and the tools, then asked for one decision a step.

An agent never holds the environment. It lives in `agents/<name>/` (see `mlgym.agents`), in any
folder with an `agent.yaml`, or is any class that can be imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlgym.types import BriefLimits, ExitReason, Image, TaskBrief, ToolSpec, Usage

__all__ = [
    "Agent",
    "BriefLimits",
    "Decision",
    "Observation",
    "TaskBrief",
]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an agent sees before each decision.

    `text` is the environment's own observation. Time (seconds) and money (US dollars) stand
    beside it and are never part of it. `cost_usd` is None where a price is unknown.
    `remaining_usd` and `remaining_tokens` are None where the run has no such limit. `part_left` is
    the smallest part left of any budget: 1 at the start, 0 at the end. `best_metrics` are those of
    the best validation so far, None before the first. `kept` are the steps to whose state a
    branching agent can go back now, this one among them; empty for every other agent. `image` is
    what the step showed, for models that take images; most steps show none.
    """

    text: str
    step: int
    remaining_steps: int
    remaining_s: float
    cost_usd: float | None
    metrics: Mapping[str, float] | None
    reward: float
    remaining_usd: float | None = None
    remaining_tokens: int | None = None
    part_left: float = 1.0
    best_metrics: Mapping[str, float] | None = None
    kept: tuple[int, ...] = ()
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent decides: one action in the action language.

    `usage` is what the model calls behind it cost. `finish` ends the episode instead of acting
    (format errors, context overflow); the environment then scores the best validation.

    An agent with `branching: true` in its agent.yaml may act in an earlier state than that it sees:
    with `goto`, a step among the observation's `kept`, files, shell and editor are first brought
    back to what they were after that step. Budgets go on counting, and no ending is taken back.
    `keep` says whether it may want the state it sees once more; without it no time is spent on
    keeping it.
    """

    action: str
    thought: str = ""
    usage: Usage = field(default_factory=Usage)
    finish: ExitReason | None = None
    goto: int | None = None
    keep: bool = True


class Agent(Protocol):
    """The two methods an agent has."""

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None: ...

    def act(self, observation: Observation) -> Decision: ...
