"""What a context policy is, and the two of our own: drop the oldest, or summarise it.

A policy is a class named by `context.policy` in `agent.yaml`, made with that file's
`context.options`. It may drop whatever it likes of a conversation's turns, but never a call without
its result. The brief stays in any case, and the best score is told anew with every request.

A message's content is a text, or a list of parts where there is an image among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlgym.chat.conversation import Conversation, cut, weight
from mlgym.errors import ModelError
from mlgym.models.base import Message
from mlgym.models.images import count_images, without_images

Write = Callable[[Sequence[Message]], str]
"""Has the model write a text, which is paid for. Raises ModelError."""

_DROPPED = "[observation dropped to save room]"
_IMAGE_DROPPED = "[image dropped to save room]"
_SHORTEST = 1000
"""Characters below which the newest observation is not cut, however small the window."""


class ContextPolicy(Protocol):
    """Makes conversations shorter."""

    def shorten(self, talk: Conversation, most: int, write: Write) -> None:
        """Bring `talk` to at most `most` characters (as `weight` counts), or as near as it can."""
        ...


@dataclass(frozen=True, slots=True)
class DropOldest:
    """Old observations go first, then old turns; the `recent` newest turns only where they must."""

    recent: int = 4

    def shorten(self, talk: Conversation, most: int, write: Write) -> None:
        del write
        for spared in (max(self.recent, 1), 1):
            _drop_observations(talk, most, spared)
            _drop_turns(talk, most, spared)
        _cut_newest(talk, most)


@dataclass(frozen=True, slots=True)
class Summarise:
    """All but the `recent` newest turns are put into at most `words` words by the model itself.

    Where that would win little, or the model cannot be asked, it does as `DropOldest`.
    """

    recent: int = 4
    words: int = 400

    def shorten(self, talk: Conversation, most: int, write: Write) -> None:
        old = talk.turns[: -max(self.recent, 1)]
        said = [message for turn in old for message in turn]
        if said and 4 * weight(*said) > weight(*talk.messages()):
            try:
                summary = write(self._request(talk, said, most))
            except ModelError:
                summary = ""
            if summary.strip():
                talk.forget(len(old), cut(summary.strip(), 12 * self.words))
        DropOldest(self.recent).shorten(talk, most, write)

    def _request(self, talk: Conversation, said: Sequence[Message], most: int) -> list[Message]:
        """Everything to be summarised as one text, so that no call misses its result."""
        share = max(_SHORTEST, most // len(said))
        told = [f"Earlier:\n{talk.summary}"] if talk.summary else []
        told += [f"{message['role']}:\n{_words(message, share)}" for message in said]
        asked = (
            "Below is the first part of your work on a task, which must make room. Put into at"
            f" most {self.words} words what you need to go on: what was tried, with which scores,"
            " what failed and why, which files matter, what was planned next. Answer with that"
            " alone."
        )
        text = cut("\n\n".join(told), max(most, _SHORTEST))
        return [{"role": "user", "content": f"{asked}\n\n{text}"}]


def _words(message: Message, longest: int) -> str:
    said = without_images(message, "[an image]").get("content") or ""
    for call in message.get("tool_calls") or ():
        said += f"\n{call['function']['name']}({call['function']['arguments']})"
    return cut(said.strip(), longest)


def _drop_observations(talk: Conversation, most: int, spared: int) -> None:
    size = weight(*talk.messages())
    for turn in talk.turns[:-spared]:
        for place, message in enumerate(turn):
            if size <= most:
                return
            shows = count_images(message) > 0
            if place > 0 and (shows or len(message["content"]) > len(_DROPPED)):
                turn[place] = {**message, "content": _DROPPED}
                size += weight(turn[place]) - weight(message)


def _drop_turns(talk: Conversation, most: int, spared: int) -> None:
    size, count = weight(*talk.messages()), 0
    while size > most and count < len(talk.turns) - spared:
        size -= weight(*talk.turns[count])
        count += 1
    if count:
        talk.forget(count)


def _cut_newest(talk: Conversation, most: int) -> None:
    newest = talk.turns[-1] if talk.turns else []
    while weight(*talk.messages()) > most:
        long = max(
            (place for place in range(1, len(newest)) if isinstance(newest[place]["content"], str)),
            key=lambda place: len(newest[place]["content"]),
            default=0,
        )
        if not long or len(newest[long]["content"]) <= _SHORTEST:
            if not count_images(*newest):
                return
            newest[:] = [without_images(message, _IMAGE_DROPPED) for message in newest]
            continue
        text = newest[long]["content"]
        newest[long] = {**newest[long], "content": cut(text, len(text) // 2)}
