"""Actions that come line by line, from a keyboard or a pipe: where one ends and the next begins."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from mlgym.tools.text import first_word, opens_block

_LAST_LINES = {"edit": "end_of_edit", "insert": "end_of_insert"}
_BLOCKS = {"create": 1, "str_replace": 2}
_HERE = re.compile(r"(?<!<)<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")


def is_whole(text: str) -> bool:
    """Whether an action is at its end, or waits for further lines.

    A payload or a block waits for its last line, a shell command for the end of a quotation, of a
    here document, or for what follows a backslash. `create <file>` alone, which makes an empty
    file, may also begin a block: it waits for one line, a blank one if it is to be all.
    """
    first, *lines = text.split("\n")
    name = first_word(first)
    if name in _LAST_LINES:
        return bool(lines) and lines[-1].strip() == _LAST_LINES[name]
    if name == "create" and lines and not lines[0].strip():
        return True
    if name in _BLOCKS:
        return bool(lines) and _closed(lines) >= _BLOCKS[name]
    return _is_whole_command(text)


def split_actions(lines: Iterable[str]) -> Iterator[str]:
    """The actions that lines (with or without their ends) make; blank ones between them are none.

    What is not at its end when the lines are is given as it stands.
    """
    taken: list[str] = []
    for found in lines:
        line = found.removesuffix("\n")
        if len(taken) == 1 and first_word(taken[0]) == "create" and not opens_block(line):
            yield taken.pop()
        if not taken and not line.strip():
            continue
        taken.append(line)
        if is_whole("\n".join(taken)):
            yield "\n".join(taken)
            taken = []
    if taken:
        yield "\n".join(taken)


def _closed(lines: Sequence[str]) -> int:
    """How many blocks there are, 0 while one is open; many where there is something else."""
    count, tag = 0, ""
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        if not tag:
            tag = opens_block(line)
            if not tag:
                return max(_BLOCKS.values())
        elif line.rstrip() == tag and (after is None or opens_block(after)):
            count, tag = count + 1, ""
    return 0 if tag else count


def _is_whole_command(text: str) -> bool:
    lines, said = text.split("\n"), list[str]()
    while lines:
        said.append(lines.pop(0))
        for _, end in _HERE.findall(said[-1]):
            ends = [line.strip("\t") for line in lines]
            if end not in ends:
                return False
            del lines[: ends.index(end) + 1]
    try:
        shlex.split("\n".join(said), comments=True)
    except ValueError:
        return False
    return True
