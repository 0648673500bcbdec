"""What a tool is, and what it may touch while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mlgym.errors import MLGymError
from mlgym.sandbox.base import Sandbox
from mlgym.tools.notes import Notebook
from mlgym.types import ToolResult, ToolSpec


class ActionError(MLGymError):
    """An action that cannot be read; its message tells the agent what to send instead.

    It never leaves the environment: `step` answers with its text.
    """


@dataclass(slots=True)
class EditorState:
    """The file on view: its absolute path and the first line shown (1-based)."""

    path: str | None = None
    first_line: int = 1


class ToolContext(Protocol):
    """What the environment lends a tool for the length of one call."""

    @property
    def sandbox(self) -> Sandbox: ...

    @property
    def editor(self) -> EditorState: ...

    @property
    def memory(self) -> Notebook: ...

    @property
    def command_s(self) -> float:
        """How long a command may run, in seconds."""
        ...

    def literature(self, query: str, limit: int) -> str:
        """Papers that fit, as text. Raises LiteratureError where the service fails or is off."""
        ...

    def validate(self) -> ToolResult:
        """Grade the current submission on the validation split."""
        ...

    def submit(self) -> ToolResult:
        """Grade the current submission on the test split and end the episode."""
        ...

    def forfeit(self) -> ToolResult:
        """End the episode without a score."""
        ...


class Tool(Protocol):
    """One tool: its schema, its text form both ways, and what it does."""

    @property
    def spec(self) -> ToolSpec: ...

    def parse(self, text: str) -> dict[str, Any]:
        """The arguments in the text form `text` (the whole action, the tool's name included).

        Raises:
            ActionError: the text is not a call of this tool; says what to send instead.
        """
        ...

    def render(self, arguments: Mapping[str, Any]) -> str:
        """The text form of a call: `parse(render(a)) == a`."""
        ...

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult: ...
