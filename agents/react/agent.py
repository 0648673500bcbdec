"""An agent in plain text: a reply ends in a fenced block, the action; before it is the thought."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym import (
    Chat,
    Decision,
    ExitReason,
    ModelError,
    Observation,
    Reply,
    TaskBrief,
    ToolSpec,
    without_thoughts,
)

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
    """See `mlgym.Agent`. Settings are those of agent.yaml."""

    def __init__(self, chat: Chat, settings: Mapping[str, Any], prompts: Mapping[str, str]) -> None:
        self.chat = chat
        self.settings = settings
        self.most_errors = int(settings["max_format_errors"])
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.brief = brief
        self.chat.begin(
            self.prompts["system"].render(brief=brief, tools=tools),
            self.prompts["brief"].render(brief=brief),
        )
        self.running = False

    def fork(self) -> React:
        """Another one at this point of the work, which goes on by itself."""
        other = copy(self)
        other.chat = self.chat.fork()
        return other

    def act(self, observation: Observation) -> Decision:
        # The first observation is the brief, with which the conversation begins.
        if self.running:
            self.chat.add_answer(observation.text, image=observation.image)
        self.chat.see(observation)
        self.running, thought = False, ""
        for _ in range(self.most_errors):
            try:
                reply = self.chat.ask(self.note(observation))
            except ModelError as error:
                return self.chat.end(error)
            self.chat.add_reply(spoken(reply))
            thought, action = split(reply)
            if action:
                self.running = True
                return Decision(action, thought, self.chat.spent())
            self.chat.add_answer(CUT_OFF if reply.finish_reason == "length" else NO_COMMAND)
        return Decision("", thought, self.chat.spent(), ExitReason.FORMAT_ERRORS)

    def note(self, seen: Observation) -> str:
        """What ends the last message and is not kept: the budget, the best score."""
        return self.prompts["note"].render(seen=seen, brief=self.brief, **self.settings)


def spoken(reply: Reply) -> dict[str, Any]:
    """The reply's message without calls of tools, which nobody offered and nobody will answer."""
    message = {key: value for key, value in reply.message.items() if key != "tool_calls"}
    return {**message, "role": "assistant", "content": reply.text or "(empty reply)"}


def split(reply: Reply) -> tuple[str, str]:
    """Thought and action of a reply; an empty action where there is none."""
    text = reply.text.replace("\r\n", "\n")
    said = without_thoughts(text)
    blocks = [block for block in FENCE.finditer(said) if block["body"].strip()]
    if not blocks:
        return text.strip(), ""
    last = blocks[-1]
    if reply.finish_reason == "length" and not last["end"]:
        return text.strip(), ""
    before = len(text) - len(said) + last.start()
    return text[:before].strip(), last["body"].removesuffix("\n")
