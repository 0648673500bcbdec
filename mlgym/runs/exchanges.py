"""What a model was asked and what it said, put together again from a run's `model.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mlgym.errors import ConfigError
from mlgym.models.base import Message


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its reply. `request` is every message as it was sent.

    `tools` are the names of the tools on offer. `reply` is the assistant's message in OpenAI's
    format with its own words, thoughts included; a call whose arguments were no JSON object has
    `{}` instead, and then the reply is not `sound`.
    """

    request: tuple[Message, ...]
    tools: tuple[str, ...]
    reply: Message
    sound: bool


Entries = Iterable[tuple[str, Mapping[str, Any]]]
"""Entries of a `Transcript`, each with the place where it stands."""


def read_exchanges(
    found: Entries, on_unread: Callable[[str], None] = lambda _: None
) -> Iterator[Exchange]:
    """The exchanges that entries tell of, in order; requests without a reply are left out.

    `on_unread` is told of a reply in a form that is not known, which is left out too.

    Raises:
        ConfigError: an entry lacks something; names its place and the field.
    """
    sent: list[Message] = []
    tools: tuple[str, ...] = ()
    waiting: tuple[Message, list[Message], tuple[str, ...]] | None = None
    for where, entry in found:
        if entry.get("kind") == "request":
            sent = [*sent[: _whole(where, entry, "kept")], *_messages(where, entry)]
            if "tools" in entry:
                tools = _names(where, entry)
            if waiting is not None:
                yield _exchange(*waiting, sent)
            waiting = None
        elif entry.get("kind") == "reply":
            said = _spoken(entry.get("raw"))
            if said is None:
                on_unread(f"{where}: a reply in an unknown form is left out")
            elif sent:
                waiting = (said, sent, tools)
    if waiting is not None:
        yield _exchange(*waiting, [])


def entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of a `model.jsonl`, up to its last whole line.

    Raises:
        ConfigError: the file cannot be read, or a whole line is no entry; names file and line.
    """
    try:
        *whole, _torn = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    for number, line in enumerate(whole, 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: line {number}: {error}") from None
        if not isinstance(found, dict):
            raise ConfigError(f"{path}: line {number}: found {found!r:.100}, expected an object")
        yield f"{path}: line {number}", cast("dict[str, Any]", found)


def _whole(where: str, entry: Mapping[str, Any], key: str) -> int:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where}: {key}: found {value!r:.100}, expected a number from 0 on")
    return value


def _messages(where: str, entry: Mapping[str, Any]) -> list[Message]:
    found = entry.get("messages")
    if not isinstance(found, list) or not all(
        isinstance(message, dict) for message in cast("list[Any]", found)
    ):
        raise ConfigError(f"{where}: messages: found {found!r:.100}, expected a list of objects")
    return cast("list[Message]", found)


def _names(where: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    found = entry.get("tools")
    if not isinstance(found, list) or not all(
        isinstance(name, str) for name in cast("list[Any]", found)
    ):
        raise ConfigError(f"{where}: tools: found {found!r:.100}, expected a list of names")
    return tuple(cast("list[str]", found))


def _spoken(raw: object) -> dict[str, Any] | None:
    """The assistant's message in a raw reply: a provider's, a local or a scripted model's."""
    found = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    choices = found.get("choices")
    if isinstance(choices, list) and choices:
        message: Any = cast("list[Any]", choices)[0].get("message") or {}
        calls = [
            (call.get("id"), call["function"].get("name"), call["function"].get("arguments"))
            for call in message.get("tool_calls") or ()
        ]
        said = _assistant(message.get("content"), calls)
        if message.get("reasoning_content"):
            said["reasoning_content"] = str(message["reasoning_content"])
        return said
    if isinstance(found.get("text"), str):
        given: Sequence[Any] = found.get("calls") or ()
        return _assistant(found["text"], [(None, call[0], call[1]) for call in given])
    return None


def _assistant(content: object, calls: Sequence[tuple[Any, Any, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {
                "id": str(ident or f"call_{place}"),
                "type": "function",
                "function": {
                    "name": str(name),
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for place, (ident, name, given) in enumerate(calls)
        ]
    return message


def _exchange(
    said: Message, request: list[Message], tools: tuple[str, ...], after: list[Message]
) -> Exchange:
    """`after` is the next request, where the reply stands again with the ids that its answers have.

    It stands there without thoughts and with long arguments cut, so that alone is taken from it.
    """
    calls: list[dict[str, Any]] = said.get("tool_calls") or []
    again: Message = after[len(request)] if len(after) > len(request) else {}
    known = [call.get("id") for call in again.get("tool_calls") or ()]
    sound = True
    mended: list[dict[str, Any]] = []
    for place, call in enumerate(calls):
        function = dict(call["function"])
        if not _is_object(function["arguments"]):
            function["arguments"], sound = "{}", False
        ident = known[place] if len(known) == len(calls) else call["id"]
        mended.append({**call, "id": ident, "function": function})
    reply = {**said, "tool_calls": mended} if mended else said
    return Exchange(tuple(request), tools, reply, sound)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text or "{}"), dict)
    except (ValueError, RecursionError):
        return False
