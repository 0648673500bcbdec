"""Handing in: validate, submit, forfeit. The environment does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgym.tools.base import ToolContext
from mlgym.tools.words import WordTool
from mlgym.types import ToolResult


def _validate(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    del arguments
    return context.validate()


def _submit(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    del arguments
    return context.submit()


def _forfeit(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    del arguments
    return context.forfeit()


TOOLS = (
    WordTool(
        "validate",
        "Grade the submission as it stands on a hidden validation split; may be called often.",
        "validate",
        (),
        _validate,
    ),
    WordTool(
        "submit",
        "Hand in the submission as it stands: it is graded on the hidden test split, and the"
        " episode ends.",
        "submit",
        (),
        _submit,
    ),
    WordTool("forfeit", "Give up: the episode ends without a score.", "forfeit", (), _forfeit),
)
