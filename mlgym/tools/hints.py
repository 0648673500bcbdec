"""What to send instead of a change that was refused, as far as that can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"\s*\d+:")
_DIFF = re.compile(r"[-+@]")
_ENDS = ("end_of_edit", "end_of_insert")


def for_range(name: str, start: int, end: int, count: int) -> str:
    """For `edit start:end` in a file of `count` lines where that is no range."""
    if start > end and start <= count:
        return f"Send {name} {end}:{start} if those lines are meant."
    if start > count:
        return f"To add lines at the end send: insert {count}, the lines, end_of_insert."
    return f"Send a range within 1:{count}."


def for_python(new: Sequence[str], beside: str) -> str:
    """For lines that are no Python where they shall stand; `beside` is the line they go by."""
    said = [line for line in new if line.strip()]
    if any(line.lstrip().startswith("```") for line in said):
        return "Send the lines without the fence of ```."
    if any(line.strip() in _ENDS for line in said):
        return "Send one call an action: what follows an end mark is a call of its own."
    if said and all(_NUMBERED.match(line) for line in said):
        return "Send the lines without the numbers that the view shows."
    if said and all(_DIFF.match(line) for line in said):
        return "Send the new lines alone, not a diff."
    wanted, found = _indentation(beside), _indentation(said[0] if said else beside)
    if wanted != found:
        return (
            f"The line there begins with {_told(wanted)}, yours with {_told(found)}: send every"
            " line indented as it shall stand in the file."
        )
    return "Send whole lines, as they shall stand in the file."


def for_old_text(text: str, old: str) -> str:
    """For an old text that does not occur in `text` just once."""
    if not old:
        return "To add lines send insert <line>, the lines, end_of_insert."
    if old in text:
        return "Send more of the lines around it."
    wanted = [line.strip() for line in old.strip().split("\n")]
    lines = [line.strip() for line in text.split("\n")]
    for place in range(len(lines) - len(wanted) + 1):
        if lines[place : place + len(wanted)] == wanted:
            return (
                f"At line {place + 1} it differs in white space only: send it as it stands there."
            )
    return "Open the file and send the text exactly as it stands there."


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _told(indentation: str) -> str:
    tabs = indentation.count("\t")
    spaces = len(indentation) - tabs
    parts = [f"{tabs} tab(s)"] if tabs else []
    return " and ".join(parts + ([f"{spaces} space(s)"] if spaces or not tabs else []))
