"""Looking at files: open, goto, scroll_up, scroll_down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgym.tools.base import ActionError, ToolContext
from mlgym.tools.files import WINDOW, absolute, centre, opened, read_text, show
from mlgym.tools.words import Word, WordTool
from mlgym.types import ToolResult

_OVERLAP = 2


def _open(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = absolute(context, arguments["path"])
    file = read_text(context, path)
    line = arguments.get("line", 1)
    if line > max(1, len(file.lines)):
        raise ActionError(f"open: line {line} is not in {path}, which has {len(file.lines)} lines.")
    context.editor.path = path
    if "line" in arguments:
        centre(context.editor, line)
    else:
        context.editor.first_line = 1
    return ToolResult(show(context.editor, file))


def _goto(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = opened(context.editor, "goto")
    file = read_text(context, path)
    line = arguments["line"]
    if line > len(file.lines):
        raise ActionError(f"goto: line {line} is not in {path}, which has {len(file.lines)} lines.")
    centre(context.editor, line)
    return ToolResult(show(context.editor, file))


def _scroll(context: ToolContext, name: str, lines: int) -> ToolResult:
    file = read_text(context, opened(context.editor, name))
    context.editor.first_line = max(1, context.editor.first_line + lines)
    return ToolResult(show(context.editor, file))


def _scroll_up(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    del arguments
    return _scroll(context, "scroll_up", -(WINDOW - _OVERLAP))


def _scroll_down(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    del arguments
    return _scroll(context, "scroll_down", WINDOW - _OVERLAP)


OPEN = WordTool(
    "open",
    f"Show a text file, {WINDOW} lines at a time, from the top or around a line.",
    'open "<path>" [line]',
    (
        Word("path", "The file, relative to the current folder or absolute."),
        Word("line", "The line to show in the middle.", is_number=True, required=False),
    ),
    _open,
)
GOTO = WordTool(
    "goto",
    "Show the open file around a line.",
    "goto <line>",
    (Word("line", "The line to show in the middle.", is_number=True),),
    _goto,
)
SCROLL_UP = WordTool(
    "scroll_up", "Show the part of the open file above the window.", "scroll_up", (), _scroll_up
)
SCROLL_DOWN = WordTool(
    "scroll_down",
    "Show the part of the open file below the window.",
    "scroll_down",
    (),
    _scroll_down,
)
TOOLS = (OPEN, GOTO, SCROLL_UP, SCROLL_DOWN)
