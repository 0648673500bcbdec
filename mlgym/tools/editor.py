"""Changing files: create, edit, insert, str_replace. A refused change changes nothing."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlgym.tools.base import ActionError, ToolContext
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
from mlgym.tools.text import (
    block,
    header_and_lines,
    number,
    payload,
    take_block,
    whole_lines,
    words_after,
)
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
_EDIT = "edit <start>:<end>\n<lines>\nend_of_edit"
_INSERT = "insert <line>\n<lines>\nend_of_insert"
_CREATE = "create <file>\nor, with content:\ncreate <file>\n<<TAG\n<lines>\nTAG"
_STR_REPLACE = "str_replace <file>\n<<TAG\n<old text>\nTAG\n<<TAG\n<new text>\nTAG"


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


def _parse_edit(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (span,) = words_after(header, "edit", _EDIT, 1, 1)
    start, colon, end = span.partition(":")
    if not colon:
        raise ActionError(f"edit: {span!r} is no range <start>:<end>. Send:\n{_EDIT}")
    return {
        "start": number(start, "edit", _EDIT, 1),
        "end": number(end, "edit", _EDIT, 1),
        "text": payload(lines, "end_of_edit", "edit", _EDIT),
    }


def _render_edit(arguments: Mapping[str, Any]) -> str:
    text = whole_lines(arguments["text"])
    return f"edit {arguments['start']}:{arguments['end']}\n{text}end_of_edit"


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
                " nothing was changed."
            )
        end = 0
    return _change(context, path, file, start - 1, end, arguments["text"])


def _parse_insert(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (line,) = words_after(header, "insert", _INSERT, 1, 1)
    return {
        "line": number(line, "insert", _INSERT, 0),
        "text": payload(lines, "end_of_insert", "insert", _INSERT),
    }


def _render_insert(arguments: Mapping[str, Any]) -> str:
    return f"insert {arguments['line']}\n{whole_lines(arguments['text'])}end_of_insert"


def _insert(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = opened(context.editor, "insert")
    line = arguments["line"]
    file = read_text(context, path)
    if line > len(file.lines):
        raise ActionError(
            f"insert: line {line} is not in {path}, which has {len(file.lines)} lines;"
            " nothing was changed."
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
    _save(context, path, file, changed)
    centre(context.editor, start + max(1, len(new)))
    told = f"{path}: {end - start} line(s) replaced by {len(new)}.\n"
    return ToolResult(told + show(context.editor, changed))


def _save(context: ToolContext, path: str, old: TextFile | None, new: TextFile) -> None:
    """Write the file, unless it is Python that the change alone would break."""
    if path.endswith(".py"):
        error = python_error(context, new.text())
        if error and (old is None or python_error(context, old.text()) is None):
            raise ActionError(
                f"refused: {path} would not be valid Python ({error}); nothing was changed."
            )
    context.sandbox.write(path, new.text().encode())


# create and str_replace -----------------------------------------------------------------------


def _parse_create(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (path,) = words_after(header, "create", _CREATE, 1, 1)
    if not lines:
        return {"path": path}
    content, no_newline, _ = take_block(lines, "create", _CREATE, is_last=True)
    empty = not content and len(lines) == 2
    return {"path": path, "content": content if no_newline or empty else content + "\n"}


def _render_create(arguments: Mapping[str, Any]) -> str:
    header = f"create {shlex.quote(arguments['path'])}"
    if "content" not in arguments:
        return header
    content: str = arguments["content"]
    if not content:
        return f"{header}\n<<END\nEND"
    if content.endswith("\n"):
        return f"{header}\n{block(content.removesuffix(chr(10)))}"
    return f"{header}\n{block(content, no_newline=True)}"


def _create(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = absolute(context, arguments["path"])
    content: str = arguments.get("content", "")
    if "content" not in arguments and _exists(context, path):
        raise ActionError(f"create: {path} exists already; nothing was changed. Open it instead.")
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


def _parse_str_replace(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (path,) = words_after(header, "str_replace", _STR_REPLACE, 1, 1)
    old, _, consumed = take_block(lines, "str_replace", _STR_REPLACE, is_last=False)
    new, _, _ = take_block(lines[consumed:], "str_replace", _STR_REPLACE, is_last=True)
    return {"path": path, "old": old, "new": new}


def _render_str_replace(arguments: Mapping[str, Any]) -> str:
    old, new = block(arguments["old"]), block(arguments["new"])
    return f"str_replace {shlex.quote(arguments['path'])}\n{old}\n{new}"


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
            " Nothing was changed."
        )
    before = text[: text.index(old)].count("\n")
    replaced = text.replace(old, new)
    changed = TextFile(split_lines(replaced), file.ending, not replaced or replaced.endswith("\n"))
    _save(context, path, file, changed)
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
        _parse_create,
        _render_create,
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
        _parse_edit,
        _render_edit,
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
        _parse_insert,
        _render_insert,
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
        _parse_str_replace,
        _render_str_replace,
        _str_replace,
    ),
)
