"""Several models as one: where the first cannot answer, the next goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlgym.errors import ModelError
from mlgym.models.base import (
    ContextOverflowError,
    ImagesRefusedError,
    Message,
    Model,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.models.transcript import Record
from mlgym.types import ToolSpec

_OWN = ("thinking_blocks", "reasoning_content", "provider_specific_fields")
"""What of a message only the provider that wrote it accepts back."""


class FallbackModel:
    """Asks the first of `models` until it fails for good, then the second to the end, and so on.

    There is no way back: each failure of a model costs all its retries.
    """

    def __init__(self, models: Sequence[Model], record: Record = lambda _: None) -> None:
        if not models:
            raise ValueError("no models")
        self._models = tuple(models)
        self._record = record
        self._current = 0
        self._written: set[str] = set()

    @property
    def name(self) -> str:
        """The name of the model that would be asked now."""
        return self._models[self._current].name

    @property
    def context_window(self) -> int | None:
        return self._models[self._current].context_window

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """See `Model.complete`. What a context policy or another agent can mend is not a failure.

        Raises:
            ModelError: of the last model, when it too has failed.
        """
        while True:
            try:
                reply = self._ask(messages, tools)
            except (ContextOverflowError, ImagesRefusedError):
                raise
            except ModelError as error:
                # An episode that began with tools cannot go on without: such a one is passed over.
                unfit = isinstance(error, ToolsUnsupportedError)
                if (unfit and not self._current) or self._current + 1 == len(self._models):
                    raise ModelError(str(error)) if unfit and self._current else error from None
                self._move_on(error)
                continue
            self._written.add(_signature(reply.message))
            return reply

    def _ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        if self._current:
            messages = [self._acceptable(message) for message in messages]
        return self._models[self._current].complete(messages, tools)

    def _move_on(self, error: ModelError) -> None:
        failed = self.name
        self._current += 1
        self._written.clear()
        self._record({"kind": "fallback", "from": failed, "to": self.name, "reason": str(error)})

    def _acceptable(self, message: Message) -> Message:
        """`message` without another provider's own fields."""
        if message.get("role") != "assistant" or _signature(message) in self._written:
            return message
        kept = {key: value for key, value in message.items() if key not in _OWN}
        if "tool_calls" in kept:
            kept["tool_calls"] = [
                {key: value for key, value in call.items() if key not in _OWN}
                for call in kept["tool_calls"]
            ]
        return kept


def _signature(message: Message) -> str:
    """What tells who wrote a message: its provider's own fields, and its calls."""
    parts = [message.get(key) for key in (*_OWN, "tool_calls")]
    return json.dumps(parts, sort_keys=True, default=str)
