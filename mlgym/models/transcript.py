"""What is kept of a model's requests: one entry for each, the messages only where they are new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlgym.models.base import Message
from mlgym.models.images import by_reference
from mlgym.types import ToolSpec, Usage

Record = Callable[[Mapping[str, Any]], None]


class Transcript:
    """Hands entries of these kinds to `record`, in the order in which things happened.

    `request`: `messages` are those after the first `kept` of the request before; `tools` are given
    where they changed; images stand by their names. `retry`: `reason`, `wait_s`. `reply`: `raw`,
    `usage`, `estimated` (the server counted no tokens), `latency_s`. `failure`: `reason`.
    """

    def __init__(self, model: str, record: Record) -> None:
        self._model = model
        self._record = record
        self._sent: list[Message] = []
        self._tools: list[str] | None = None

    def request(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], settings: Mapping[str, Any]
    ) -> None:
        kept = 0
        for before, now in zip(self._sent, messages, strict=False):
            if before != now:
                break
            kept += 1
        self._sent = list(messages)
        entry: dict[str, Any] = {"kind": "request", "model": self._model, **settings, "kept": kept}
        entry["messages"] = [dict(by_reference(message)) for message in messages[kept:]]
        names = [tool.name for tool in tools]
        if names != self._tools:
            entry["tools"] = self._tools = names
        self._record(entry)

    def retry(self, reason: str, wait_s: float) -> None:
        self._record({"kind": "retry", "reason": reason, "wait_s": round(wait_s, 3)})

    def reply(self, raw: object, usage: Usage, *, estimated: bool, latency_s: float) -> None:
        self._record(
            {
                "kind": "reply",
                "raw": raw,
                "usage": usage.to_json(),
                "estimated": estimated,
                "latency_s": round(latency_s, 3),
            }
        )

    def failure(self, reason: str) -> None:
        self._record({"kind": "failure", "reason": reason})
