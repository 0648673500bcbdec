"""A model whose replies are kept, and that says them again where a run is resumed.

So any agent comes back to where it was: it is asked the same, and told the same, as before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from mlgym.errors import ConfigError, ModelError
from mlgym.models.base import (
    ContextOverflowError,
    Message,
    Model,
    ModelToolCall,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.types import ToolSpec, Usage

REPLIES = "replies.jsonl"
_ERRORS = {
    kind.__name__: kind for kind in (ModelError, ContextOverflowError, ToolsUnsupportedError)
}


class StrayedError(BaseException):
    """A resumed agent asks something else than it did.

    No `Exception`, so that no agent catches it: what would come of that is no part of the run.
    """


class RememberingModel:
    """Asks `model` and keeps in `file` what came of each request, a line each.

    What is in `file` already is said again first, in its order.
    """

    def __init__(self, model: Model, file: Path) -> None:
        self._model = model
        self._file = file
        self._past = deque(_read(file))
        skip = getattr(model, "skip", None)
        if callable(skip):
            skip(sum("error" not in entry for entry in self._past))

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_window(self) -> int | None:
        return self._model.context_window

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """See `Model.complete`.

        Raises:
            StrayedError: it is asked something else than before.
        """
        asked = _asked(messages, tools)
        if self._past:
            return self._again(self._past.popleft(), asked)
        try:
            reply = self._model.complete(messages, tools)
        except ModelError as error:
            window = error.window if isinstance(error, ContextOverflowError) else None
            told = {"error": type(error).__name__, "words": str(error), "window": window}
            self._keep({"asked": asked, **told})
            raise
        self._keep({"asked": asked, **asdict(reply)})
        return reply

    def _keep(self, entry: Mapping[str, Any]) -> None:
        # No run ends for want of room here. What is missing is noticed where it is asked for.
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, default=str) + "\n")

    def _again(self, entry: Mapping[str, Any], asked: str) -> Reply:
        if entry["asked"] != asked:
            raise StrayedError(
                f"{self._file}: the agent asks its model something else than before: it is not"
                " deterministic, and cannot be resumed"
            )
        if "error" in entry:
            kind = _ERRORS.get(entry["error"], ModelError)
            if kind is ContextOverflowError:
                raise ContextOverflowError(entry["words"], entry["window"])
            raise kind(entry["words"])
        return Reply(
            entry["text"],
            tuple(ModelToolCall(**call) for call in entry["tool_calls"]),
            Usage(**entry["usage"]),
            entry["message"],
            entry["finish_reason"],
        )


def _asked(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """What tells one request from another: all but the last message, which ends in a clock."""
    told = json.dumps([list(map(dict, messages[:-1])), [tool.name for tool in tools]])
    return hashlib.sha256(told.encode()).hexdigest()


def _read(file: Path) -> list[Mapping[str, Any]]:
    """The entries up to the last whole line; what was torn is cut off, to be written anew."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        file.write_bytes(whole)
    try:
        entries = [json.loads(line) for line in whole.splitlines()]
        return [{**cast("dict[str, Any]", entry), "asked": entry["asked"]} for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{file}: cannot be read: {error!r}") from error
