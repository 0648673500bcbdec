"""Remembering: memory_write, memory_read. Notes lie on the host, out of any command's reach."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mlgym.tools.base import ActionError, ToolContext
from mlgym.tools.notes import LONGEST_NOTE, MOST_NOTES
from mlgym.tools.text import block, header_and_lines, take_block, words_after
from mlgym.tools.words import Word, WordTool
from mlgym.types import ToolResult, ToolSpec

WRITE = 'memory_write "<text>"\nor, for several lines:\nmemory_write\n<<TAG\n<lines>\nTAG'
_USUAL, _MOST = 5, 20
_SHELL = ";|&<>"


class MemoryWrite:
    """`memory_write(text)`. Its text form is a line, or a block where the text has several."""

    spec = ToolSpec(
        "memory_write",
        "Keep a note, such as what was tried and what came of it: it can be read again when the"
        " conversation has long been shortened.",
        {
            "type": "object",
            "properties": {
                "text": {
                    "type": "string",
                    "description": f"The note, of at most {LONGEST_NOTE} characters.",
                }
            },
            "required": ["text"],
            "additionalProperties": False,
        },
    )

    def parse(self, text: str) -> dict[str, Any]:
        header, lines = header_and_lines(text)
        rest = header.strip().removeprefix("memory_write").strip()
        if rest.startswith("<<"):
            rest, lines = "", [rest, *lines]
        if rest and lines:
            raise ActionError(f"memory_write: nothing was kept. Send:\n{WRITE}")
        if lines:
            note, _, _ = take_block(lines, "memory_write", WRITE, is_last=True)
            return {"text": note}
        if rest.startswith(("'", '"')):
            (note,) = words_after(header, "memory_write", WRITE, 1, 1)
            return {"text": note}
        # Words without quotes are taken as they stand, unless a shell would see more than words.
        if not rest or any(mark in rest for mark in _SHELL):
            raise ActionError(
                "memory_write must be the whole action, its text in quotes or in a block; nothing"
                f" was kept. Send:\n{WRITE}"
            )
        return {"text": rest}

    def render(self, arguments: Mapping[str, Any]) -> str:
        text: str = arguments["text"]
        if "\n" in text or "\0" in text:
            return f"memory_write\n{block(text)}"
        return f"memory_write {shlex.quote(text)}"

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        text: str = arguments["text"].strip()
        if not text:
            raise ActionError("memory_write: an empty note keeps nothing.")
        if len(text) > LONGEST_NOTE:
            raise ActionError(
                f"memory_write: the note has {len(text)} characters, of at most {LONGEST_NOTE};"
                " nothing was kept. Send a shorter one, or several."
            )
        added = context.memory.add(text)
        count = len(context.memory.texts)
        if added == "known":
            return ToolResult("That note is kept already.\n")
        if added == "full":
            return ToolResult(f"Kept. More than {MOST_NOTES} notes: the oldest was forgotten.\n")
        return ToolResult(f"Kept: {count} note{'' if count == 1 else 's'}.\n")


def _read(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    memory = context.memory
    query: str = arguments["query"].strip()
    limit = min(arguments.get("limit", _USUAL), _MOST)
    kept = len(memory.texts)
    if not kept:
        return ToolResult("No note is kept.\n")
    if not query:
        return _shown(memory.latest(limit), kept, "the latest first")
    found = memory.best(query, limit)
    if not found:
        hint = "Other words may do, or memory_read '' for the latest."
        return ToolResult(f"None of {kept} notes holds a word of {query!r:.200}. {hint}\n")
    return _shown(found, kept, "the best match first")


def _shown(notes: Sequence[str], kept: int, order: str) -> ToolResult:
    parts = [f"{len(notes)} of {kept} notes, {order}."]
    for number, note in enumerate(notes, 1):
        parts += [f"--- {number}", note]
    return ToolResult("\n".join(parts) + "\n")


TOOLS = (
    MemoryWrite(),
    WordTool(
        "memory_read",
        "Read the kept notes that fit a query best, those of earlier runs too where they are kept.",
        'memory_read "<query>" [limit]',
        (
            Word("query", "Words to look for. Empty: the latest notes."),
            Word(
                "limit",
                f"How many at most; {_USUAL} by default, never more than {_MOST}.",
                is_number=True,
                required=False,
                called="number of results",
            ),
        ),
        _read,
    ),
)
