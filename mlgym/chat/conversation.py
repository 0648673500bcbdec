"""What was said between an agent and its model: system message, brief, then turns.

A turn is a reply of the model's with all that answers it, and is never cut apart. What changes with
every step (steps, time and money left) is added to the last message as it is sent and not kept, so
that the prefix that providers cache stays the same.

An image is told by the user, who speaks after the results of a turn's calls: not every provider
takes one within a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from mlgym.models.accounting import request_texts
from mlgym.models.base import Message
from mlgym.models.images import count_images, image_part, without_images
from mlgym.types import Image

_THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>\s*|\Z)", re.S)
_CUT = "\n[... {} characters cut ...]\n"
_AN_IMAGE = 5250
"""Characters that an image weighs as much as: 1,500 tokens, what providers take on average."""


class Conversation:
    """`turns` is open to policies, which may drop from it. `longest` is in characters, of one text.

    `summary` stands in the place of the `forgotten` oldest turns; empty where they were dropped.
    """

    def __init__(self, system: str, brief: str, longest: int = 20_000) -> None:
        self.turns: list[list[Message]] = []
        self.summary = ""
        self.forgotten = 0
        self._system: Message = {"role": "system", "content": system}
        self._brief = brief
        self._longest = longest

    def add_reply(self, message: Message) -> None:
        """Begin a turn. Thoughts written into the text are not kept, long arguments are cut."""
        content = message.get("content")
        if isinstance(content, str) and content:
            said = without_thoughts(content) or "(nothing but thoughts)"
            message = {**message, "content": cut(said, self._longest)}
        if message.get("tool_calls"):
            message = {**message, "tool_calls": [self._cut(call) for call in message["tool_calls"]]}
        self.turns.append([message])

    def add_answer(self, text: str, call_id: str | None = None, image: Image | None = None) -> None:
        """Answer the last reply: as a tool's result where `call_id` is given, else as the user.

        The content of a message with an image is a list of parts (OpenAI's format).

        Raises:
            ValueError: there is no reply yet.
        """
        if not self.turns:
            raise ValueError("an answer before any reply")
        content = cut(text, self._longest) if text.strip() else "(no output)"
        turn = self.turns[-1]
        if call_id is not None:
            users = (place for place, said in enumerate(turn) if said["role"] == "user")
            result = {"role": "tool", "tool_call_id": call_id, "content": content}
            turn.insert(next(users, len(turn)), result)
        if image is not None:
            parts = [{"type": "text", "text": content}, image_part(image)]
            if turn[-1]["role"] == "user":
                before = turn.pop()["content"]
                told = [{"type": "text", "text": before}] if isinstance(before, str) else before
                parts = [*told, *parts]
            turn.append({"role": "user", "content": parts})
        elif call_id is None:
            turn.append({"role": "user", "content": content})

    def drop_images(self, keep: int, instead: str) -> None:
        """Put the words `instead` in the place of all images but those of the newest messages.

        Messages are spared for as long as they hold at most `keep` images together.
        """
        for turn in reversed(self.turns):
            for place in reversed(range(len(turn))):
                keep -= count_images(turn[place])
                if keep < 0:
                    turn[place] = without_images(turn[place], instead)

    def messages(self, note: str = "") -> list[Message]:
        """All of it, with `note` at the end of the last message."""
        said = [self._system, {"role": "user", "content": self._brief + self._of_forgotten()}]
        said += [message for turn in self.turns for message in turn]
        if note:
            said[-1] = _noted(said[-1], note)
        return said

    def forget(self, count: int, summary: str = "") -> None:
        """Drop the oldest `count` turns; a summary given takes the place of the one before."""
        del self.turns[:count]
        self.forgotten += count
        self.summary = summary or self.summary

    def _of_forgotten(self) -> str:
        if not self.forgotten:
            return ""
        told = f"\n\n[The {self.forgotten} oldest turns of this conversation were dropped."
        return f"{told} In short:]\n{self.summary}" if self.summary else f"{told}]"

    def _cut(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call whose long texts are cut: the model has seen what it wrote."""
        function: Mapping[str, Any] = call["function"]
        if len(function["arguments"]) <= self._longest:
            return call
        shorter = _shorter(function["arguments"], self._longest)
        return {**call, "function": {**function, "arguments": shorter}}


def weight(*messages: Message) -> int:
    """How many characters messages have as they are sent, an image counted as `_AN_IMAGE`."""
    texts, images = request_texts(messages)
    return sum(map(len, texts)) + images * _AN_IMAGE


def cut(text: str, longest: int) -> str:
    """Head and tail of a text that is too long, the cut stated."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return text[:half] + _CUT.format(len(text) - 2 * half) + text[len(text) - half :]


def _shorter(arguments: str, longest: int) -> str:
    """A call's arguments, still a JSON object, of a few times `longest` characters at most."""
    try:
        given: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        given = None
    if isinstance(given, dict):
        fields = cast("dict[str, Any]", given).items()
        short = {key: cut(v, longest) if isinstance(v, str) else v for key, v in fields}
        if len(json.dumps(short)) <= 4 * longest:
            return json.dumps(short)
    return json.dumps({"cut": f"{len(arguments)} characters"})


def without_thoughts(text: str) -> str:
    """A reply without what a reasoning model wrote before it, up to `</think>`.

    Some servers leave that in the text, some of them without its first mark. The templates of such
    models drop it from the history, where it would only fill the window.
    """
    before, mark, after = text.partition("</think>")
    if mark and "<think>" not in before:
        return after.lstrip()
    return _THOUGHTS.sub("", text, count=1) if _THOUGHTS.match(text) else text


def _noted(message: Message, note: str) -> Message:
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content, {"type": "text", "text": note}]}
    return {**message, "content": f"{content}\n\n{note}"}
