"""An agent in plain text: a reply ends in a fenced block, the action; before it is the thought."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym.agent import Decision, Observation
from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, Model, Reply
from mlgym.models.context import Conversation, ask
from mlgym.types import ExitReason, TaskBrief, ToolSpec, Usage

# A fence is closed by one at least as long; the last may be left open (some servers stop there).
FENCE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^`\n]*\n(?P<body>.*?)(?P<end>^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)",
    re.M | re.S,
)
NO_COMMAND = (
    "That reply held no command, so nothing was done. Write a short thought, then one command in a"
    " block fenced by ```."
)
CUT_OFF = (
    "That reply reached its length limit and was cut off, so nothing was done. Be brief; write long"
    " files in parts."
)


class React:
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
        self.talk = Conversation(
            self.prompts["system"].render(brief=brief, tools=tools),
            self.prompts["brief"].render(brief=brief),
            self.longest,
        )
        self.running = False

    def act(self, observation: Observation) -> Decision:
        # The first observation is the brief, with which the conversation begins.
        if self.running:
            self.talk.add_answer(observation.text)
        self.running = False
        thought, usage = "", Usage()
        for _ in range(self.most_errors):
            try:
                reply = ask(self.model, self.talk, self.prompts["note"].render(seen=observation))
            except ContextOverflowError as error:
                return Decision("", str(error), usage, ExitReason.CONTEXT_OVERFLOW)
            except ModelError as error:
                if not usage.calls:
                    raise
                # What this step's earlier calls cost must not be lost with the error.
                return Decision("", str(error), usage, ExitReason.MODEL_ERROR)
            usage += reply.usage
            self.talk.add_reply({"role": "assistant", "content": reply.text or "(empty reply)"})
            thought, action = split(reply)
            if action:
                self.running = True
                return Decision(action, thought, usage)
            self.talk.add_answer(CUT_OFF if reply.finish_reason == "length" else NO_COMMAND)
        return Decision("", thought, usage, ExitReason.FORMAT_ERRORS)


def split(reply: Reply) -> tuple[str, str]:
    """Thought and action of a reply; an empty action where there is none."""
    text = reply.text.replace("\r\n", "\n")
    blocks = [block for block in FENCE.finditer(text) if block["body"].strip()]
    if not blocks:
        return text.strip(), ""
    last = blocks[-1]
    if reply.finish_reason == "length" and not last["end"]:
        return text.strip(), ""
    return text[: last.start()].strip(), last["body"].removesuffix("\n")
