"""A conversation that fits a window: the brief stays, the oldest turns go first.

A turn is a reply of the model's with all that answers it, and is never cut apart. What changes with
every step (time and money left) stands in a last message that is not kept, so that the prefix that
providers cache stays the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlgym.models.base import Message

_CHARACTERS_A_TOKEN = 3.5
_RESERVE = 0.85
"""The part of a window that a request may fill by our estimate; the rest is for the reply."""


class Conversation:
    """System message and brief, then turns."""

    def __init__(self, system: str, brief: str, longest_observation: int = 20_000) -> None:
        self._head: list[Message] = [
            {"role": "system", "content": system},
            {"role": "user", "content": brief},
        ]
        self._turns: list[list[Message]] = []
        self._longest = longest_observation
        self.dropped = 0

    def add_reply(self, message: Message) -> None:
        """Begin a turn."""
        self._turns.append([message])

    def add_answer(self, text: str, call_id: str | None = None) -> None:
        """Answer the last reply: as a tool's result where `call_id` is given, else as the user."""
        content = cut(text, self._longest)
        message: Message = {"role": "user", "content": content}
        if call_id is not None:
            message = {"role": "tool", "tool_call_id": call_id, "content": content}
        if self._turns:
            self._turns[-1].append(message)
        else:
            self._head.append(message)

    def messages(self, note: str = "") -> list[Message]:
        """All of it, and `note` as a last message of the user's that is not kept."""
        messages = [*self._head, *(message for turn in self._turns for message in turn)]
        if self.dropped:
            told = f"(The {self.dropped} oldest turns of this conversation were dropped.)"
            messages.insert(len(self._head), {"role": "user", "content": told})
        return [*messages, {"role": "user", "content": note}] if note else messages

    def drop_oldest(self) -> bool:
        """Forget the oldest turns, about a fifth of them; False where only the last is left.

        Dropping some at once keeps the prefix the same for a while.
        """
        if len(self._turns) < 2:
            return False
        count = min(max(1, len(self._turns) // 5), len(self._turns) - 1)
        del self._turns[:count]
        self.dropped += count
        return True

    def fits(self, window: int | None, note: str = "") -> bool:
        """Whether it fits a window of so many tokens, by a rough estimate."""
        return window is None or estimate(self.messages(note)) <= window * _RESERVE


def estimate(messages: Sequence[Message]) -> int:
    """About how many tokens the messages have."""
    characters = sum(len(json.dumps(dict(message), ensure_ascii=False)) for message in messages)
    return int(characters / _CHARACTERS_A_TOKEN)


def cut(text: str, longest: int) -> str:
    """Head and tail of a text that is too long, the cut stated."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"
