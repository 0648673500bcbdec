"""An agent for small models on `battle_of_sexes`: every reply is an action, as it stands.

A request is a few examples and the end of the last observation. What was done before is not in it:
the smallest models have no room for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlgym.agent import Decision, Observation
from mlgym.models import Message, Model
from mlgym.types import TaskBrief, ToolSpec

SYSTEM = (
    "You improve strategy.py, a Python file with a function row_strategy(history) that returns 0 or"
    " 1. history is a list of (own move, other's move). You reply with one shell command."
)
EXAMPLES = (
    (
        "Always play 1.",
        "echo 'def row_strategy(history): return 1' > strategy.py",
    ),
    (
        "Play 1 at first, then what the other one played.",
        "echo 'def row_strategy(history): return history[-1][1] if history else 1' > strategy.py",
    ),
)
SHOWN = 60
"""Characters of an observation that go into the request."""


def request(observation: str, left: int) -> list[Message]:
    """The messages of a request; `left` is how many steps are left."""
    talk: list[Message] = [{"role": "system", "content": SYSTEM}]
    for asked, action in EXAMPLES:
        talk.append({"role": "user", "content": asked})
        talk.append({"role": "assistant", "content": action})
    seen = observation.strip()[-SHOWN:]
    talk.append({"role": "user", "content": f"{seen}\nWin more. Steps left: {left}"})
    return talk


class OneAction:
    """See `mlgym.agent.Agent`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del brief, tools

    def act(self, observation: Observation) -> Decision:
        reply = self.model.complete(request(observation.text, observation.remaining_steps))
        return Decision(reply.text, reply.text, reply.usage)
