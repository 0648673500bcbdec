"""Reading and writing the text forms of tool calls: words, line payloads, tagged blocks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from mlgym.tools.base import ActionError

MOST_DIGITS = 18
"""No file has more lines, and Python refuses to read a number of thousands of digits."""
_WORD_ENDS = r"(?=$|[\s;|&<>()])"
_FIRST_WORD = re.compile(rf"\s*([A-Za-z_]+){_WORD_ENDS}")
_BLOCK = re.compile(r"<<\s*(['\"]?)(\w+)\1(?:[ \t]+(no_newline))?\s*$")


def first_word(text: str) -> str:
    """The word that an action begins with, `""` where it begins otherwise."""
    found = _FIRST_WORD.match(text)
    return found[1] if found else ""


def beginning_with(words: Iterable[str]) -> re.Pattern[str]:
    """Matches where the first word is one of these, which is then its first group."""
    return re.compile(rf"\s*({'|'.join(words)}){_WORD_ENDS}")


def words_after(text: str, name: str, usage: str, least: int, most: int) -> list[str]:
    """The words of a call after its name, quotes undone. Raises ActionError beside `usage`."""
    rest = text.strip()[len(name) :]
    if "\0" in rest:
        raise ActionError(f"{name}: a NUL byte can stand in no argument; nothing was run.")
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ActionError(f"{name}: {error} in {rest.strip()!r}. Send: {usage}") from None
    if not least <= len(words) <= most:
        if any(mark in rest for mark in ";|&<>\n"):
            raise ActionError(
                f"{name} must be the whole action, without shell syntax or further lines after it;"
                f" nothing was run. Send alone: {usage}"
            )
        raise ActionError(f"{name} was given {len(words)} argument(s). Send: {usage}")
    return words


def number(word: str, name: str, usage: str, least: int, called: str = "line number") -> int:
    """A number. Raises ActionError where it is none, or below `least`."""
    digits = word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS
    if not digits or int(word) < least:
        raise ActionError(f"{name}: {word!r:.60} is no {called} from {least} on. Send: {usage}")
    return int(word)


def header_and_lines(text: str) -> tuple[str, list[str]]:
    """The first line, and the others without the blank ones at the end. Cut at "\\n" only.

    Where the first line ends with "\\r" the whole action was written with such ends: they go.
    """
    header, *lines = text.lstrip("\n").split("\n")
    if header.endswith("\r"):
        header, lines = header.removesuffix("\r"), [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()
    return header, lines


def payload(lines: Sequence[str], end: str, name: str, usage: str) -> str:
    """The text of a payload that the action's last line closes: each line with its newline."""
    if not lines or lines[-1].strip() != end:
        raise ActionError(
            f"{name}: the last line must be {end}; nothing was changed. Send:\n{usage}"
        )
    return "".join(f"{line}\n" for line in lines[:-1])


def whole_lines(text: str) -> str:
    """`text` with a newline at its end, unless it is empty: the canonical form of lines."""
    return text if not text or text.endswith("\n") else text + "\n"


def take_block(lines: Sequence[str], name: str, usage: str, is_last: bool) -> tuple[str, bool, int]:
    """A block `<<TAG`, lines, `TAG`: (lines joined by newlines, no_newline, lines consumed).

    The last block ends at the action's last line; another one where its TAG stands before a `<<`.
    """
    opening = _BLOCK.match(lines[0]) if lines else None
    if opening is None:
        raise ActionError(f"{name}: expected a line <<TAG. Send:\n{usage}")
    tag = opening[2]
    for index in range(1, len(lines)):
        if lines[index].rstrip() != tag:
            continue
        follows = lines[index + 1] if index + 1 < len(lines) else None
        if follows is None if is_last else follows is not None and _BLOCK.match(follows):
            return "\n".join(lines[1:index]), opening[3] is not None, index + 1
    raise ActionError(f"{name}: no line {tag} closes the block <<{tag}. Send:\n{usage}")


def opens_block(line: str) -> str:
    """The TAG of a line `<<TAG`, `""` where it is none."""
    found = _BLOCK.match(line)
    return found[2] if found else ""


def block(lines: str, no_newline: bool = False) -> str:
    """`lines` between a `<<TAG` and a `TAG` that does not occur in them."""
    present = set(lines.split("\n"))
    tag = next(tag for n in range(len(present) + 1) if (tag := f"END{n or ''}") not in present)
    mark = " no_newline" if no_newline else ""
    return f"<<{tag}{mark}\n{lines}\n{tag}"
