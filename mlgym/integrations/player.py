"""An agent for trainers: a conversation that only grows, one function call after the other.

Agents for evaluation shorten what they send and end it with notes on the budget. Whoever trains on
a conversation wants each request to begin with the whole one before. So nothing is dropped here:
where the window is full, the episode ends and is graded by the rule.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlgym.agent import Decision, Observation
from mlgym.chat.conversation import cut
from mlgym.models.base import Message, ModelToolCall, Reply
from mlgym.tools.base import ActionError
from mlgym.tools.registry import action_of
from mlgym.types import ExitReason, TaskBrief, ToolSpec

NO_CALL = "That reply called no tool, so nothing was done. Call one; to end the work, call submit."

Ask = Callable[[Sequence[Message], Sequence[ToolSpec]], Reply | ExitReason]
"""Asks the model, or tells why it is not to be asked any more. Raises ModelError."""


@dataclass(slots=True)
class Player:
    """See `mlgym.Agent`. `opening` are the messages before the model's first.

    `most_errors` replies in a row without a call that can be run end the episode. An observation
    is cut to `longest` characters, head and tail.
    """

    ask: Ask
    opening: Sequence[Message]
    most_errors: int = 3
    longest: int = 20_000
    tools: Sequence[ToolSpec] = ()
    messages: list[Message] = field(default_factory=list[Message])
    waiting: deque[ModelToolCall] = field(default_factory=deque[ModelToolCall])
    running: ModelToolCall | None = None
    errors: int = 0

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del brief
        self.tools, self.messages = tools, list(self.opening)
        self.waiting.clear()
        self.running, self.errors = None, 0

    def act(self, observation: Observation) -> Decision:
        if self.running is not None:
            said = cut(observation.text, self.longest).rstrip() or "(no output)"
            self._answer(self.running, f"{said}\n[{observation.remaining_steps} steps left]")
        while (action := self._next()) is None:
            if self.errors >= self.most_errors:
                return Decision("", finish=ExitReason.FORMAT_ERRORS)
            reply = self.ask(self.messages, self.tools)
            if isinstance(reply, ExitReason):
                return Decision("", finish=reply)
            self.errors += 1
            self.messages.append(reply.message)
            self.waiting.extend(reply.tool_calls)
            if not reply.tool_calls:
                self.messages.append({"role": "user", "content": NO_CALL})
        return Decision(action)

    def _next(self) -> str | None:
        """The next call that can be run; the others are answered with what is wrong."""
        self.running = None
        while self.waiting:
            call = self.waiting.popleft()
            try:
                action = action_of(call.name, call.arguments)
            except ActionError as error:
                self._answer(call, str(error))
                continue
            self.running, self.errors = call, 0
            return action
        return None

    def _answer(self, call: ModelToolCall, text: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})


def reply_of(message: dict[str, Any]) -> Reply:
    """A reply from an assistant's message in OpenAI's format, which is kept as it stands.

    Only arguments that are no JSON object are emptied in it: servers refuse such a history.
    """
    calls: list[ModelToolCall] = []
    for number, call in enumerate(message.get("tool_calls") or ()):
        call["id"] = call.get("id") or f"call_{number}"
        function = call["function"]
        arguments = function.get("arguments") or "{}"
        calls.append(ModelToolCall(call["id"], function.get("name") or "", arguments))
        if not _is_object(arguments):
            function["arguments"] = "{}"
    return Reply(message.get("content") or "", tuple(calls), message=message)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
