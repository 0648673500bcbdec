"""Changing files: create, edit, insert, str_replace. A refused change changes nothing."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlgym.tools import hints
from mlgym.tools.base import ActionError, ToolContext
from mlgym.tools.edit_forms import (
    parse_create,
    parse_edit,
    parse_insert,
    parse_str_replace,
    render_create,
    render_edit,
    render_insert,
    render_str_replace,
)
from mlgym.tools.files import (
    TextFile,
    absolute,
    centre,
    opened,
    read_text,
    show,
    split_lines,
)
from mlgym.tools.syntax import python_error
from mlgym.tools.text import whole_lines
from mlgym.types import ToolResult, ToolSpec

_PATH = {
    "type": "string",
    "pattern": r"^[^\n\0]+$",
    "description": "The file, relative to the current folder or absolute.",
}
_LINES = {
    "type": "string",
    "description": "Whole lines, indented as they shall stand in the file. Empty: no lines.",
}


@dataclass(frozen=True, slots=True)
class EditTool:
    """A tool with a payload: how it is described, read, written and run."""

    spec: ToolSpec
    reader: Callable[[str], dict[str, Any]]
    writer: Callable[[Mapping[str, Any]], str]
    action: Callable[[Mapping[str, Any], ToolContext], ToolResult]

    def parse(self, text: str) -> dict[str, Any]:
        return self.reader(text)

    def render(self, arguments: Mapping[str, Any]) -> str:
        return self.writer(arguments)

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return self.action(arguments, context)


def _spec(name: str, description: str, required: tuple[str, ...], **properties: Any) -> ToolSpec:
    return ToolSpec(
        name,
        description,
        {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
    )


# edit and insert ----------------------------------------------------------------------------


def _edit(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = opened(context.editor, "edit")
    start, end = arguments["start"], arguments["end"]
    file = read_text(context, path)
    count = len(file.lines)
    if start > end or end > count:
        # An empty file has no line 1 to replace, but it is plain what is meant.
        if not (count == 0 and start == end == 1):
            raise ActionError(
                f"edit: {start}:{end} is no range of lines in {path}, which has {count} lines;"
                f" nothing was changed. {hints.for_range('edit', start, end, count)}"
            )
        end = 0
    return _change(context, path, file, start - 1, end, arguments["text"])


def _insert(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = opened(context.editor, "insert")
    line = arguments["line"]
    file = read_text(context, path)
    if line > len(file.lines):
        raise ActionError(
            f"insert: line {line} is not in {path}, which has {len(file.lines)} lines;"
            f" nothing was changed. To add lines at the end send: insert {len(file.lines)}."
        )
    return _change(context, path, file, line, line, arguments["text"])


def _change(
    context: ToolContext, path: str, file: TextFile, start: int, end: int, text: str
) -> ToolResult:
    """Put the lines of `text` in place of `file.lines[start:end]`."""
    new = split_lines(whole_lines(text))
    lines = (*file.lines[:start], *(line.removesuffix("\r") for line in new), *file.lines[end:])
    if file.ending == "\n":
        lines = (*file.lines[:start], *new, *file.lines[end:])
    changed = replace(file, lines=lines)
    beside = next((line for line in file.lines[start:] if line.strip()), "")
    _save(context, path, file, changed, hints.for_python(new, beside))
    centre(context.editor, start + max(1, len(new)))
    told = f"{path}: {end - start} line(s) replaced by {len(new)}.\n"
    return ToolResult(told + show(context.editor, changed))


def _save(context: ToolContext, path: str, old: TextFile, new: TextFile, hint: str) -> None:
    """Write the file, unless it is Python that the change alone would break."""
    if path.endswith(".py"):
        error = python_error(context, new.text())
        if error and python_error(context, old.text()) is None:
            raise ActionError(
                f"refused: {path} would not be valid Python ({error}); nothing was changed. {hint}"
            )
    context.sandbox.write(path, new.text().encode())


# create and str_replace -----------------------------------------------------------------------


def _create(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = absolute(context, arguments["path"])
    content: str = arguments.get("content", "")
    if "content" not in arguments and _exists(context, path):
        raise ActionError(
            f"create: {path} exists already; nothing was changed."
            " Send open with its path, or create with its whole content."
        )
    context.sandbox.write(path, content.encode())
    context.editor.path, context.editor.first_line = path, 1
    file = TextFile(split_lines(content), "\n", not content or content.endswith("\n"))
    return ToolResult(f"{path} was written.\n{show(context.editor, file)}")


def _exists(context: ToolContext, path: str) -> bool:
    try:
        context.sandbox.read(path, 0)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        # Nothing can have a name that is too long; whoever writes there is told so.
        return error.errno != errno.ENAMETOOLONG
    return False


def _str_replace(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = absolute(context, arguments["path"])
    file = read_text(context, path)
    text = "\n".join(file.lines) + ("\n" if file.lines and file.ends_with_newline else "")
    old, new = arguments["old"], arguments["new"]
    count = text.count(old) if old else 0
    if count != 1:
        found = "is empty" if not old else "is not there" if not count else f"occurs {count} times"
        raise ActionError(
            f"str_replace: the old text {found} in {path}; it must occur exactly once."
            f" Nothing was changed. {hints.for_old_text(text, old)}"
        )
    before = text[: text.index(old)].count("\n")
    replaced = text.replace(old, new)
    changed = TextFile(split_lines(replaced), file.ending, not replaced or replaced.endswith("\n"))
    _save(context, path, file, changed, "Send the new text as it shall stand in the file.")
    context.editor.path = path
    centre(context.editor, before + 1)
    return ToolResult(f"{path}: replaced once.\n{show(context.editor, changed)}")


TOOLS = (
    EditTool(
        _spec(
            "create",
            "Write a new file and open it. With content an existing file is overwritten.",
            ("path",),
            path=_PATH,
            content={"type": "string", "description": "The whole content. Default: empty."},
        ),
        parse_create,
        render_create,
        _create,
    ),
    EditTool(
        _spec(
            "edit",
            "Replace lines start to end (from 1, both included) of the open file.",
            ("start", "end", "text"),
            start={"type": "integer", "minimum": 1, "description": "First line to replace."},
            end={"type": "integer", "minimum": 1, "description": "Last line to replace."},
            text=_LINES,
        ),
        parse_edit,
        render_edit,
        _edit,
    ),
    EditTool(
        _spec(
            "insert",
            "Insert lines after a line of the open file; 0 inserts at the top.",
            ("line", "text"),
            line={"type": "integer", "minimum": 0, "description": "The line to insert after."},
            text=_LINES,
        ),
        parse_insert,
        render_insert,
        _insert,
    ),
    EditTool(
        _spec(
            "str_replace",
            "Replace a text that occurs exactly once in a file.",
            ("path", "old", "new"),
            path=_PATH,
            old={"type": "string", "description": "The text to replace, exactly as it stands."},
            new={"type": "string", "description": "The text to put in its place."},
        ),
        parse_str_replace,
        render_str_replace,
        _str_replace,
    ),
)
