"""An agent by native function calling: each reply's calls are taken in order, one step each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym.agent import Decision, Observation
from mlgym.models.base import ContextOverflowError, Model, Reply
from mlgym.models.context import Conversation
from mlgym.tools.base import ActionError
from mlgym.tools.registry import from_json, render_call
from mlgym.types import ExitReason, TaskBrief, ToolSpec, Usage

NO_CALL = "That reply called no tool. Call one; to end the work, call submit."


class ToolCaller:
    """See `mlgym.agent.Agent`. Settings are those of agent.yaml."""

    def __init__(
        self, model: Model, settings: Mapping[str, Any], prompts: Mapping[str, str]
    ) -> None:
        self.model = model
        self.settings = settings
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}
        self.tools: Sequence[ToolSpec] = ()
        self.talk = Conversation("", "")
        self.waiting: deque[tuple[str, str]] = deque()
        self.answering: str | None = None
        self.errors = 0
        self.usage = Usage()

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.tools = tools
        self.talk = Conversation(
            self.prompts["system"].render(brief=brief),
            self.prompts["brief"].render(brief=brief),
            int(self.settings["longest_observation"]),
        )
        self.waiting.clear()
        self.answering, self.errors = None, 0

    def act(self, observation: Observation) -> Decision:
        if self.answering is not None:
            self.talk.add_answer(observation.text, self.answering)
            self.answering = None
        thought, self.usage = "", Usage()
        while not self.waiting:
            if self.errors >= int(self.settings["max_format_errors"]):
                return Decision("", thought, self.usage, ExitReason.FORMAT_ERRORS)
            reply = self.ask(observation)
            if reply is None:
                return Decision("", thought, self.usage, ExitReason.CONTEXT_OVERFLOW)
            thought = reply.text
            self.take(reply)
        self.answering, action = self.waiting.popleft()
        return Decision(action, thought, self.usage)

    def ask(self, observation: Observation) -> Reply | None:
        """The model's reply, the oldest turns dropped as need be; None where nothing fits."""
        note = self.prompts["note"].render(seen=observation)
        while True:
            if not self.talk.fits(self.model.context_window, note) and self.talk.drop_oldest():
                continue
            try:
                reply = self.model.complete(self.talk.messages(note), self.tools)
            except ContextOverflowError:
                if not self.talk.drop_oldest():
                    return None
                continue
            self.usage += reply.usage
            return reply

    def take(self, reply: Reply) -> None:
        """Queue the reply's calls; what is no call is answered with what was wrong."""
        self.talk.add_reply(reply.message)
        if not reply.tool_calls:
            self.errors += 1
            self.talk.add_answer(NO_CALL)
            return
        refused: list[tuple[str, str]] = []
        for call in reply.tool_calls:
            try:
                self.waiting.append((call.id, render_call(from_json(call.name, call.arguments))))
            except ActionError as error:
                refused.append((call.id, str(error)))
        for call_id, words in refused:
            self.talk.add_answer(words, call_id)
        self.errors = 0 if self.waiting else self.errors + 1
