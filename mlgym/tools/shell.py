"""The shell: whatever is no other tool's call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgym.tools.base import ActionError, ToolContext
from mlgym.types import ToolResult, ToolSpec


class Shell:
    """`bash(command)`. Its text form is the command itself, see `mlgym.tools.registry`."""

    spec = ToolSpec(
        "bash",
        "Run a command in a persistent bash: folder, variables and functions stay. Standard input"
        " is empty, so nothing interactive works.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "One or more lines of bash."}
            },
            "required": ["command"],
            "additionalProperties": False,
        },
    )

    def parse(self, text: str) -> dict[str, Any]:
        return {"command": text}

    def render(self, arguments: Mapping[str, Any]) -> str:
        return str(arguments["command"])

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        command: str = arguments["command"]
        if "\0" in command:
            raise ActionError("A command cannot hold a NUL byte: nothing was run.")
        result = context.sandbox.run(command, context.command_s)
        return ToolResult(result.output, exit_code=result.exit_code)
