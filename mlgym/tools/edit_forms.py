"""The text forms of create, edit, insert and str_replace, both ways.

A payload that models write in some other way is refused with the form that it should have.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from mlgym.tools.base import ActionError
from mlgym.tools.text import (
    MOST_DIGITS,
    block,
    header_and_lines,
    number,
    payload,
    take_block,
    whole_lines,
    words_after,
)

EDIT = "edit <start>:<end>\n<lines>\nend_of_edit"
INSERT = "insert <line>\n<lines>\nend_of_insert"
CREATE = "create <file>\nor, with content:\ncreate <file>\n<<TAG\n<lines>\nTAG"
_SPACED = re.compile(rf"\s*edit\s+(\d{{1,{MOST_DIGITS}}})\s*:\s*(\d{{1,{MOST_DIGITS}}})\s*")
STR_REPLACE = "str_replace <file>\n<<TAG\n<old text>\nTAG\n<<TAG\n<new text>\nTAG"


def parse_edit(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    spaced = _SPACED.fullmatch(header)
    span = f"{spaced[1]}:{spaced[2]}" if spaced else ""
    if not span:
        (span,) = _words(header, "edit", EDIT)
    start, colon, end = span.partition(":")
    if not colon:
        raise ActionError(f"edit: {span!r} is no range <start>:<end>. Send:\n{EDIT}")
    return {
        "start": number(start, "edit", EDIT, 1),
        "end": number(end, "edit", EDIT, 1),
        "text": payload(lines, "end_of_edit", "edit", EDIT),
    }


def render_edit(arguments: Mapping[str, Any]) -> str:
    text = whole_lines(arguments["text"])
    return f"edit {arguments['start']}:{arguments['end']}\n{text}end_of_edit"


def parse_insert(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (line,) = _words(header, "insert", INSERT)
    return {
        "line": number(line, "insert", INSERT, 0),
        "text": payload(lines, "end_of_insert", "insert", INSERT),
    }


def render_insert(arguments: Mapping[str, Any]) -> str:
    return f"insert {arguments['line']}\n{whole_lines(arguments['text'])}end_of_insert"


def parse_create(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (path,) = words_after(header, "create", CREATE, 1, 1)
    if not lines:
        return {"path": path}
    content, no_newline, _ = take_block(lines, "create", CREATE, is_last=True)
    empty = not content and len(lines) == 2
    return {"path": path, "content": content if no_newline or empty else content + "\n"}


def render_create(arguments: Mapping[str, Any]) -> str:
    header = f"create {shlex.quote(arguments['path'])}"
    if "content" not in arguments:
        return header
    content: str = arguments["content"]
    if not content:
        return f"{header}\n<<END\nEND"
    if content.endswith("\n"):
        return f"{header}\n{block(content.removesuffix(chr(10)))}"
    return f"{header}\n{block(content, no_newline=True)}"


def parse_str_replace(text: str) -> dict[str, Any]:
    header, lines = header_and_lines(text)
    (path,) = words_after(header, "str_replace", STR_REPLACE, 1, 1)
    old, _, consumed = take_block(lines, "str_replace", STR_REPLACE, is_last=False)
    new, _, _ = take_block(lines[consumed:], "str_replace", STR_REPLACE, is_last=True)
    return {"path": path, "old": old, "new": new}


def render_str_replace(arguments: Mapping[str, Any]) -> str:
    old, new = block(arguments["old"]), block(arguments["new"])
    return f"str_replace {shlex.quote(arguments['path'])}\n{old}\n{new}"


def _words(header: str, name: str, usage: str) -> list[str]:
    """The one word of a call on the open file. A file's name before it gets advice of its own."""
    words = header.split()[1:]
    if len(words) == 2 and words[1][:1].isdigit() and any(mark in words[0] for mark in "./"):
        raise ActionError(
            f"{name} works on the open file; nothing was changed. Send first: open {words[0]}"
            f"\nand then:\n{usage}"
        )
    return words_after(header, name, usage, 1, 1)
