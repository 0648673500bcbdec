"""A model that says what a script tells it to: for tests and demonstrations, offline and free."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mlgym.errors import ConfigError, ModelError
from mlgym.models.base import Message, ModelToolCall, Reply
from mlgym.models.transcript import Record, Transcript
from mlgym.types import ToolSpec, Usage


class ScriptedReply(BaseModel):
    """A reply with calls: `{"text": ..., "calls": [[name, arguments], ...]}`.

    Arguments given as a text are the model's raw words, perhaps broken JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    calls: tuple[tuple[str, str | dict[str, Any]], ...] = ()


DEMO = "demo"
_LINE: TypeAdapter[str | ScriptedReply] = TypeAdapter(str | ScriptedReply)


class ScriptedModel:
    """Says its replies in order; raises ModelError at their end."""

    context_window: int | None = None

    def __init__(
        self,
        replies: Iterable[str | ScriptedReply],
        name: str = "scripted",
        record: Record = lambda _: None,
    ) -> None:
        self.name = name
        self._replies = tuple(replies)
        self._said = 0
        self._transcript = Transcript(name, record)

    @classmethod
    def from_file(cls, path: str, record: Record = lambda _: None) -> ScriptedModel:
        """Replies from a JSONL file, one a line; `demo` is the script that MLGym ships.

        Raises:
            ConfigError: names file and line.
        """
        file = Path(__file__).with_name("demo.jsonl") if path == DEMO else Path(path)
        try:
            lines = file.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: the script cannot be read: {error}") from None
        replies = [
            _parsed(line, f"{path}: line {number}")
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]
        return cls(replies, f"scripted:{path}", record)

    def skip(self, count: int) -> None:
        """Go on as after `count` replies: where a run is resumed, they were said before."""
        self._said = count

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """The next reply. Raises ModelError at the script's end."""
        self._transcript.request(messages, tools, {})
        if self._said == len(self._replies):
            words = f"{self.name}: the script is at its end after {self._said} replies"
            self._transcript.failure(words)
            raise ModelError(words)
        said = self._replies[self._said]
        self._said += 1
        usage = Usage(calls=1)
        if isinstance(said, str):
            said = ScriptedReply(text=said)
        self._transcript.reply(said.model_dump(), usage, estimated=False, latency_s=0.0)
        calls = tuple(
            ModelToolCall(
                f"call_{self._said}_{number}",
                name,
                given if isinstance(given, str) else json.dumps(given),
            )
            for number, (name, given) in enumerate(said.calls)
        )
        return Reply(said.text, calls, usage, assistant_message(said.text, calls))


def _parsed(line: str, where: str) -> str | ScriptedReply:
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        raise ConfigError(
            f'{where}: found {line!r:.200}, expected a text or {{"text": ..., "calls":'
            f" [[name, arguments], ...]}}: {error.errors()[-1]['msg']}"
        ) from None


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
