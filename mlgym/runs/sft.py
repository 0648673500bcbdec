"""Runs as chats to train on: rows of messages with tool calls, as the model saw and said them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from mlgym.models.base import Message, in_openai_form
from mlgym.runs.as_toolcaller import as_toolcaller
from mlgym.runs.exchanges import Exchange, entries, read_exchanges
from mlgym.runs.store import MODEL, RunFolder
from mlgym.tools.registry import TOOLS
from mlgym.types import ToolSpec

Row = dict[str, Any]
_SCHEMAS = {tool.spec.name: tool.spec for tool in TOOLS}


def chats(
    run: RunFolder, *, each_reply: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Row]:
    """The run's conversations: `messages` and `tools`, a list of function schemas, in each row.

    A row is a conversation for as long as it went on unbroken. Where the context policy dropped
    from it, or it was taken up otherwise, a new row begins, in which the assistant's messages that
    stand in an earlier row have the `weight` 0, as those have whose calls were malformed. The note
    on the budget that ended a request is left where it stood: each reply follows what was seen.

    With `each_reply` a row is one request and one reply, exactly: `prompt`, `completion`, `tools`.

    Without a `model.jsonl` the rows are made of the trajectory, as if the agent `toolcaller` had
    acted so.

    Raises:
        ConfigError: the run cannot be read.
    """
    if (run.path / MODEL).is_file():
        exchanges = read_exchanges(entries(run.path / MODEL), tell)
    else:
        exchanges = read_exchanges(as_toolcaller(run), tell)
    if not each_reply:
        yield from _joined(exchanges)
        return
    for exchange in exchanges:
        prompt = [_message(message) for message in exchange.request]
        completion = [_reply(exchange)]
        yield {"prompt": prompt, "completion": completion, "tools": _schemas(exchange.tools)}


def _joined(exchanges: Iterator[Exchange]) -> Iterator[Row]:
    before: Exchange | None = None
    row: list[Row] = []
    for exchange in exchanges:
        if before is not None and _goes_on(before, exchange):
            new = exchange.request[len(before.request) + 1 :]
        else:
            if before is not None:
                yield {"messages": row, "tools": _schemas(before.tools)}
            row, new = [], exchange.request
        row += [_message(message) for message in new]
        row.append(_reply(exchange))
        before = exchange
    if before is not None:
        yield {"messages": row, "tools": _schemas(before.tools)}


def _goes_on(before: Exchange, now: Exchange) -> bool:
    """Whether a request is the one before with its reply and more; a note at its end may be gone.

    Messages are compared, not words: the reply's thoughts are not kept in the conversation.
    """
    count = len(before.request)
    if len(now.request) <= count or now.tools != before.tools:
        return False
    return (
        before.request[:-1] == now.request[: count - 1]
        and _is_noted(before.request[-1], now.request[count - 1])
        and now.request[count].get("role") == "assistant"
    )


def _is_noted(noted: Message, plain: Message) -> bool:
    one, other = noted.get("content"), plain.get("content")
    if isinstance(one, list) and isinstance(other, list):
        parts, others = cast("list[Any]", one), cast("list[Any]", other)
        same = parts[: len(others)] == others
    else:
        same = isinstance(one, str) and isinstance(other, str) and one.startswith(other)
    return same and noted.get("role") == plain.get("role")


def _reply(exchange: Exchange) -> Row:
    message = _message(exchange.reply)
    del message["weight"]
    return message if exchange.sound else {**message, "weight": 0}


def _message(message: Message) -> Row:
    """A message with what chat templates read of it: its content one text, its calls as they are.

    One of the assistant's is taken for one that stands elsewhere already.
    """
    role = str(message.get("role"))
    row: Row = {"role": role, "content": _encodable(_words(message.get("content")))}
    if message.get("tool_calls"):
        row["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    if message.get("reasoning_content"):
        row["reasoning_content"] = _encodable(str(message["reasoning_content"]))
    if role == "tool":
        row["tool_call_id"] = str(message.get("tool_call_id"))
    if role == "assistant":
        row["weight"] = 0
    return row


def _call(call: Mapping[str, Any]) -> Row:
    function: Mapping[str, Any] = call["function"]
    arguments = _encodable(str(function["arguments"] or "{}"))
    return {
        "id": str(call["id"]),
        "type": "function",
        "function": {"name": str(function["name"]), "arguments": arguments},
    }


def _words(content: object) -> str:
    if not isinstance(content, list):
        return "" if content is None else str(content)
    parts = cast("list[dict[str, Any]]", content)
    return "\n\n".join(
        str(part["text"]) if part.get("type") == "text" else f"[{part.get('type')} left out]"
        for part in parts
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _schemas(names: Sequence[str]) -> list[Row]:
    """Of a tool that there is no more, its name is all that is known."""
    return in_openai_form([_SCHEMAS.get(name) or ToolSpec(name, "", {}) for name in names])
