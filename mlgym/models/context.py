"""A conversation that fits a window: the brief stays, the oldest observations go first.

A turn is a reply of the model's with all that answers it, and is never cut apart. What changes with
every step (steps, time and money left) is added to the last message as it is sent and not kept, so
that the prefix that providers cache stays the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlgym.models.base import ContextOverflowError, Message, Model, Reply
from mlgym.types import ToolSpec

_CHARACTERS_A_TOKEN = 3.5
_FILLED = 0.85
"""The part of a window that a request may fill by our estimate; the rest is for the reply."""
_DROPPED = "[observation dropped to save room]"
_SHORTEST = 1000
"""Characters below which the newest observation is not cut, however small the window."""


class Conversation:
    """System message and brief, then turns. `longest` is in characters, of any one message."""

    def __init__(self, system: str, brief: str, longest: int = 20_000) -> None:
        self._system: Message = {"role": "system", "content": system}
        self._brief = brief
        self._turns: list[list[Message]] = []
        self._longest = longest
        self._forgotten = 0

    def add_reply(self, message: Message) -> None:
        """Begin a turn."""
        content = message.get("content")
        if isinstance(content, str):
            message = {**message, "content": cut(content, self._longest)}
        self._turns.append([message])

    def add_answer(self, text: str, call_id: str | None = None) -> None:
        """Answer the last reply: as a tool's result where `call_id` is given, else as the user.

        Raises:
            ValueError: there is no reply yet.
        """
        if not self._turns:
            raise ValueError("an answer before any reply")
        content = cut(text, self._longest) if text.strip() else "(no output)"
        message: Message = {"role": "user", "content": content}
        if call_id is not None:
            message = {"role": "tool", "tool_call_id": call_id, "content": content}
        self._turns[-1].append(message)

    def messages(self, note: str = "") -> list[Message]:
        """All of it, with `note` at the end of the last message."""
        brief = self._brief
        if self._forgotten:
            brief += f"\n\n[The {self._forgotten} oldest turns of this conversation were dropped.]"
        said = [self._system, {"role": "user", "content": brief}]
        said += [message for turn in self._turns for message in turn]
        if note:
            said[-1] = {**said[-1], "content": f"{said[-1]['content']}\n\n{note}"}
        return said

    def drop_oldest(self) -> bool:
        """Make the conversation shorter; False where that can no longer be done.

        A third of what is left goes at a time, oldest first, so that the prefix then stays the same
        for a while: observations first, then whole turns, at last the middle of the newest
        observation.
        """
        old = [
            (turn, place)
            for turn in self._turns[:-1]
            for place, message in enumerate(turn)
            if place > 0 and len(message["content"]) > len(_DROPPED)
        ]
        if old:
            for turn, place in old[: max(1, len(old) // 3)]:
                turn[place] = {**turn[place], "content": _DROPPED}
            return True
        if len(self._turns) > 1:
            count = max(1, (len(self._turns) - 1) // 3)
            del self._turns[:count]
            self._forgotten += count
            return True
        return self._shorten_newest()

    def _shorten_newest(self) -> bool:
        newest = self._turns[-1] if self._turns else []
        longest = max((len(message["content"]) for message in newest[1:]), default=0)
        if longest <= _SHORTEST:
            return False
        for place, message in enumerate(newest[1:], 1):
            newest[place] = {**message, "content": cut(message["content"], longest // 2)}
        return True


def ask(
    model: Model,
    conversation: Conversation,
    note: str,
    tools: Sequence[ToolSpec] = (),
) -> Reply:
    """The model's reply, with as much dropped from the conversation as its window demands.

    Raises:
        ContextOverflowError: nothing is left to drop.
        ModelError: as `Model.complete`.
    """
    window = model.context_window
    while True:
        while window is not None and _tokens(conversation, note, tools) > window * _FILLED:
            if not conversation.drop_oldest():
                # By our estimate it does not fit; the server knows better.
                break
        try:
            return model.complete(conversation.messages(note), tools)
        except ContextOverflowError as error:
            if not conversation.drop_oldest():
                raise
            # What the server says of itself is better than what is known of the model.
            window = error.window or window


def _tokens(conversation: Conversation, note: str, tools: Sequence[ToolSpec]) -> int:
    """About how many tokens a request has."""
    parts = [json.dumps(dict(said), ensure_ascii=False) for said in conversation.messages(note)]
    parts += [json.dumps([tool.name, tool.description, dict(tool.parameters)]) for tool in tools]
    return int(sum(map(len, parts)) / _CHARACTERS_A_TOKEN)


def cut(text: str, longest: int) -> str:
    """Head and tail of a text that is too long, the cut stated."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"
