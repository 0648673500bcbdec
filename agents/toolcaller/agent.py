"""An agent by native function calling: each reply's calls are taken in order, one step each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym import (
    ActionError,
    Chat,
    Decision,
    ExitReason,
    ModelError,
    ModelToolCall,
    Observation,
    Reply,
    TaskBrief,
    ToolSpec,
    action_of,
)

NO_CALL = "That reply called no tool, so nothing was done. Call one; to end the work, call submit."
CUT_OFF = (
    "That reply reached its length limit and was cut off. Be brief; write long files in parts."
)


class ToolCaller:
    """See `mlgym.Agent`. Settings are those of agent.yaml."""

    def __init__(self, chat: Chat, settings: Mapping[str, Any], prompts: Mapping[str, str]) -> None:
        self.chat = chat
        self.settings = settings
        self.most_errors = int(settings["max_format_errors"])
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.brief, self.tools = brief, tools
        self.chat.begin(
            self.prompts["system"].render(brief=brief, tools=tools),
            self.prompts["brief"].render(brief=brief),
        )
        self.waiting: deque[ModelToolCall] = deque()
        self.running: ModelToolCall | None = None
        self.errors = 0

    def fork(self) -> ToolCaller:
        """Another one at this point of the work, which goes on by itself."""
        other = copy(self)
        other.chat, other.waiting = self.chat.fork(), self.waiting.copy()
        return other

    def act(self, observation: Observation) -> Decision:
        # The first observation is the brief, with which the conversation begins.
        if self.running is not None:
            self.chat.add_answer(observation.text, self.running.id, observation.image)
        self.chat.see(observation)
        thought = ""
        while (action := self.next_action()) is None:
            if self.errors >= self.most_errors:
                return Decision("", thought, self.chat.spent(), ExitReason.FORMAT_ERRORS)
            try:
                reply = self.chat.ask(self.note(observation), self.tools)
            except ModelError as error:
                return self.chat.end(error)
            thought = reply.text
            self.take(reply)
        return Decision(action, thought, self.chat.spent())

    def note(self, seen: Observation) -> str:
        """What ends the last message and is not kept: the budget, the best score."""
        return self.prompts["note"].render(seen=seen, brief=self.brief, **self.settings)

    def take(self, reply: Reply) -> None:
        """Queue the reply's calls. Until one of them can be run the reply counts as malformed."""
        self.errors += 1
        self.chat.add_reply(reply.message)
        self.waiting.extend(reply.tool_calls)
        self.hint = CUT_OFF if reply.finish_reason == "length" else ""
        if not reply.tool_calls:
            self.chat.add_answer(self.hint or NO_CALL)

    def next_action(self) -> str | None:
        """The next call of the queue that can be run; the others are answered with what is wrong.

        Calls are answered in the order in which they were made, so that a refusal stands in its
        place among the results.
        """
        self.running = None
        while self.waiting:
            call = self.waiting.popleft()
            try:
                action = action_of(call.name, call.arguments)
            except ActionError as error:
                self.chat.add_answer(f"{error} {self.hint}".strip(), call.id)
                continue
            self.running, self.errors = call, 0
            return action
        return None
