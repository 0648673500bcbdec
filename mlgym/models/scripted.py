"""A model that says what a script tells it to: for tests and demonstrations, offline and free."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError, ModelError
from mlgym.models.base import Message, ModelToolCall, Reply
from mlgym.types import ToolSpec, Usage


class ScriptedModel:
    """Replies in order: each a text, or `{"text": ..., "calls": [[name, arguments], ...]}`."""

    context_window: int | None = None

    def __init__(self, replies: Iterable[str | Mapping[str, Any]], name: str = "scripted") -> None:
        self.name = name
        self._replies = iter(list(replies))
        self._said = 0

    @classmethod
    def from_file(cls, path: str) -> ScriptedModel:
        """Replies from a JSONL file, one a line. Raises ConfigError."""
        try:
            lines = Path(path).read_text("utf-8").splitlines()
            return cls([json.loads(line) for line in lines if line.strip()], f"scripted:{path}")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from error

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """The next reply. Raises ModelError at the script's end."""
        del messages, tools
        reply = next(self._replies, None)
        if reply is None:
            raise ModelError(f"{self.name}: the script is at its end after {self._said} replies")
        self._said += 1
        if isinstance(reply, str):
            message = {"role": "assistant", "content": reply}
            return Reply(reply, usage=Usage(calls=1), message=message)
        calls = tuple(
            ModelToolCall(
                f"call_{self._said}_{index}",
                str(name),
                given if isinstance(given, str) else json.dumps(given),
            )
            for index, (name, given) in enumerate(reply.get("calls", ()))
        )
        text = str(reply.get("text", ""))
        return Reply(text, calls, Usage(calls=1), assistant_message(text, calls))


def assistant_message(text: str, calls: Sequence[ModelToolCall]) -> dict[str, Any]:
    """The assistant's message in OpenAI's format."""
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return message
