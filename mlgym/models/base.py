"""What a model is: messages and tools in, one reply out, with its tokens and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlgym.errors import ModelError
from mlgym.types import ToolSpec, Usage

Message = Mapping[str, Any]
"""A chat message in OpenAI's format: role, content, tool_calls, tool_call_id."""


class ContextOverflowError(ModelError):
    """The request does not fit the model's window. `window` is in tokens where it is known."""

    def __init__(self, message: str, window: int | None = None) -> None:
        super().__init__(message)
        self.window = window


class ToolsUnsupportedError(ModelError):
    """The model or its server refuses the `tools` parameter."""


class ImagesRefusedError(ModelError):
    """The model or its server refuses a request for its images, or takes none at all."""


@dataclass(frozen=True, slots=True)
class ModelToolCall:
    """A function call as the model wrote it: `arguments` is its raw text, perhaps broken JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `message` is the assistant's message to append to the history as it stands."""

    text: str
    tool_calls: tuple[ModelToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    message: Message = field(default_factory=dict[str, Any])
    finish_reason: str = "stop"


class Model(Protocol):
    """A chat model."""

    @property
    def name(self) -> str: ...

    @property
    def context_window(self) -> int | None:
        """Tokens of prompt and reply together, None where unknown."""
        ...

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """Ask for one reply.

        Raises:
            ContextOverflowError: the request is too long for the model.
            ToolsUnsupportedError: `tools` were given and are refused.
            ImagesRefusedError: an image among the messages is refused.
            ModelError: anything else that retries could not mend.
        """
        ...


def in_openai_form(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """The schemas as OpenAI's format has them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in tools
    ]
