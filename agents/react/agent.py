"""An agent in plain text: the last fenced block of a reply is the action, the rest the thought."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym.agent import Decision, Observation
from mlgym.models.base import ContextOverflowError, Model, Reply
from mlgym.models.context import Conversation
from mlgym.types import ExitReason, TaskBrief, ToolSpec, Usage

FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.M | re.S)
NO_COMMAND = (
    "That reply held no command. Write a short thought, then one command in a block fenced by ```."
)


class React:
    """See `mlgym.agent.Agent`. Settings are those of agent.yaml."""

    def __init__(
        self, model: Model, settings: Mapping[str, Any], prompts: Mapping[str, str]
    ) -> None:
        self.model = model
        self.settings = settings
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}
        self.talk = Conversation("", "")
        self.started = False
        self.errors = 0

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.talk = Conversation(
            self.prompts["system"].render(brief=brief, tools=tools),
            self.prompts["brief"].render(brief=brief),
            int(self.settings["longest_observation"]),
        )
        self.started, self.errors = False, 0

    def act(self, observation: Observation) -> Decision:
        # The first observation is the brief, which the conversation begins with.
        if self.started:
            self.talk.add_answer(observation.text or "(no output)")
        self.started = True
        usage = Usage()
        while self.errors < int(self.settings["max_format_errors"]):
            reply = self.ask(observation)
            if reply is None:
                return Decision("", "", usage, ExitReason.CONTEXT_OVERFLOW)
            usage += reply.usage
            self.talk.add_reply({"role": "assistant", "content": reply.text})
            blocks = list(FENCE.finditer(reply.text))
            action = blocks[-1][1].removesuffix("\n") if blocks else ""
            if action.strip():
                self.errors = 0
                return Decision(action, reply.text[: blocks[-1].start()].strip(), usage)
            self.errors += 1
            self.talk.add_answer(NO_COMMAND)
        return Decision("", "", usage, ExitReason.FORMAT_ERRORS)

    def ask(self, observation: Observation) -> Reply | None:
        """The model's reply, the oldest turns dropped as need be; None where nothing fits."""
        note = self.prompts["note"].render(seen=observation)
        while True:
            if not self.talk.fits(self.model.context_window, note) and self.talk.drop_oldest():
                continue
            try:
                return self.model.complete(self.talk.messages(note))
            except ContextOverflowError:
                if not self.talk.drop_oldest():
                    return None
