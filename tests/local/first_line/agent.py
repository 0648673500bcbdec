"""An agent for the smallest models: a few examples, and the first line said is the command."""

from __future__ import annotations

from collections.abc import Sequence

from mlgym.agent import Decision, Observation
from mlgym.models import Message, Model
from mlgym.types import TaskBrief, ToolSpec

EXAMPLES = (
    ("Show the files here.", "ls -la"),
    ("Show what README.md says.", "cat README.md"),
    ("Write the number 3 into the file answer.txt.", "echo 3 > answer.txt"),
)
_SHOWN = 300
"""Characters of an observation that go into the next request."""


class FirstLine:
    """See `mlgym.agent.Agent`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del tools
        self.talk: list[Message] = [
            {"role": "system", "content": "You reply with one shell command and nothing else."}
        ]
        for asked, command in EXAMPLES:
            self.talk.append({"role": "user", "content": asked})
            self.talk.append({"role": "assistant", "content": command})
        self.task = brief.description[:_SHOWN]

    def act(self, observation: Observation) -> Decision:
        said = self.task if observation.step == 0 else observation.text[-_SHOWN:]
        self.talk.append({"role": "user", "content": f"{said}\nThe next command:"})
        reply = self.model.complete(self.talk)
        self.talk.append(reply.message)
        lines = [line for line in reply.text.splitlines() if line.strip(" `")]
        return Decision(lines[0].strip(" `") if lines else "true", reply.text, reply.usage)
