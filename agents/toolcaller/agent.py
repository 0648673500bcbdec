"""An agent by native function calling: each reply's calls are taken in order, one step each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym.agent import Decision, Observation
from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, Model, ModelToolCall, Reply
from mlgym.models.context import Conversation, ask
from mlgym.tools.base import ActionError
from mlgym.tools.registry import from_json, render_call
from mlgym.types import ExitReason, TaskBrief, ToolSpec, Usage

NO_CALL = "That reply called no tool, so nothing was done. Call one; to end the work, call submit."
CUT_OFF = (
    "That reply reached its length limit and was cut off. Be brief; write long files in parts."
)


class ToolCaller:
    """See `mlgym.agent.Agent`. Settings are those of agent.yaml."""

    def __init__(
        self, model: Model, settings: Mapping[str, Any], prompts: Mapping[str, str]
    ) -> None:
        self.model = model
        self.most_errors = int(settings["max_format_errors"])
        self.longest = int(settings["longest_observation"])
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.tools = tools
        self.talk = Conversation(
            self.prompts["system"].render(brief=brief, tools=tools),
            self.prompts["brief"].render(brief=brief),
            self.longest,
        )
        self.waiting: deque[ModelToolCall] = deque()
        self.running: ModelToolCall | None = None
        self.errors = 0

    def act(self, observation: Observation) -> Decision:
        # The first observation is the brief, with which the conversation begins.
        if self.running is not None:
            self.talk.add_answer(observation.text, self.running.id)
        thought, usage = "", Usage()
        while (action := self.next_action()) is None:
            if self.errors >= self.most_errors:
                return Decision("", thought, usage, ExitReason.FORMAT_ERRORS)
            try:
                note = self.prompts["note"].render(seen=observation)
                reply = ask(self.model, self.talk, note, self.tools)
            except ContextOverflowError as error:
                return Decision("", str(error), usage, ExitReason.CONTEXT_OVERFLOW)
            except ModelError as error:
                if not usage.calls:
                    raise
                # What this step's earlier calls cost must not be lost with the error.
                return Decision("", str(error), usage, ExitReason.MODEL_ERROR)
            thought = reply.text
            usage += reply.usage
            self.take(reply)
        return Decision(action, thought, usage)

    def take(self, reply: Reply) -> None:
        """Queue the reply's calls. Until one of them can be run the reply counts as malformed."""
        self.errors += 1
        self.talk.add_reply(reply.message)
        self.waiting.extend(reply.tool_calls)
        self.hint = CUT_OFF if reply.finish_reason == "length" else ""
        if not reply.tool_calls:
            self.talk.add_answer(self.hint or NO_CALL)

    def next_action(self) -> str | None:
        """The next call of the queue that can be run; the others are answered with what is wrong.

        Calls are answered in the order in which they were made, so that a refusal stands in its
        place among the results.
        """
        self.running = None
        while self.waiting:
            call = self.waiting.popleft()
            try:
                action = render_call(from_json(call.name, call.arguments))
            except ActionError as error:
                self.talk.add_answer(f"{error} {self.hint}".strip(), call.id)
                continue
            self.running, self.errors = call, 0
            return action
        return None
