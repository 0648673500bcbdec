"""What edits changed, as far as actions and observations tell.

An `edit` says which lines it replaced, not what stood there. Windows that the editor showed before
do; where they showed it too long ago, or never, only the new lines are known, and it is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlgym.tools.base import ActionError
from mlgym.tools.registry import parse_action
from mlgym.view.lines import Step

BEFORE = 50
"""How many lines before a step what was shown still counts."""
Line = tuple[str, str]
"""What happened to a line (`" "`, `"-"`, `"+"`; `"@"` for a heading), and its text."""
_LOOKS = ("open", "goto", "scroll_up", "scroll_down")
_EDITS = ("edit", "insert", "create", "str_replace")
_REPLACED = re.compile(r"([^\n]+): (\d{1,9}) line\(s\) replaced by (\d{1,9})\.\n")
_WRITTEN = re.compile(r"([^\n]+)(?: was written|: replaced once)\.\n")
_WINDOW = re.compile(r"^\[([^\n]+): \d+ lines\]$", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d{1,9}):(.*)$", re.MULTILINE)
_MOST_CELLS = 40_000
_CONTEXT = 3

_Shown = dict[int, tuple[str, int]]
"""Line number: its text, and the index of the step that showed it."""


def diffs_of(steps: Sequence[Step], first: int) -> list[list[dict[str, Any]]]:
    """For each of consecutive steps, of which the first is line `first`, the files that it changed.

    Each as `{"path", "lines": [[mark, text], ...]}`; nothing for a step that is no edit, or whose
    edit was refused.
    """
    files: dict[str, _Shown] = {}
    diffs: list[list[dict[str, Any]]] = []
    before: int | None = None
    for index, step in enumerate(steps, first):
        if step["parent"] is not None and step["parent"] != before:
            files.clear()  # the agent went back: files are as they were there
        before = step["step"]
        found = _changed(step, files, index) if step["tool"] in _EDITS else None
        diffs.append([] if found is None else [{"path": found[0], "lines": found[1]}])
        if step["tool"] in _EDITS or step["tool"] in _LOOKS:
            _learn(step["observation"], files, index)
    return diffs


def _changed(step: Step, files: dict[str, _Shown], index: int) -> tuple[str, list[Line]] | None:
    try:
        call = parse_action(step["action"] or "")
    except ActionError:
        return None
    given, observation = call.arguments, step["observation"]
    if call.name in ("edit", "insert") and (told := _REPLACED.match(observation)):
        path, removed = told[1], int(told[2])
        start = given["start"] if call.name == "edit" else given["line"] + 1
        return path, _replaced(files, path, start, removed, given["text"], index, observation)
    if call.name in ("create", "str_replace") and (told := _WRITTEN.match(observation)):
        path = told[1]
        files.pop(path, None)
        if call.name == "create":
            return path, [("+", line) for line in _lines(given.get("content", ""))]
        return path, compared(_lines(given["old"]), _lines(given["new"]))
    return None


def _replaced(
    files: dict[str, _Shown],
    path: str,
    start: int,
    removed: int,
    text: str,
    index: int,
    observation: str,
) -> list[Line]:
    shown, new = files.get(path, {}), _lines(text)
    numbers = range(start, start + removed)
    known = all(shown.get(at, ("", -BEFORE))[1] >= index - BEFORE for at in numbers)
    moved = len(new) - removed
    files[path] = {
        at if at < start else at + moved: line for at, line in shown.items() if at not in numbers
    }
    after = {int(at): line for at, line in _NUMBERED.findall(observation)}
    end = start + len(new)
    above = [after[at] for at in range(max(1, start - _CONTEXT), start) if at in after]
    below = [after[at] for at in range(end, end + _CONTEXT) if at in after]
    told = f"from line {start}"
    if removed and not known:
        told += f", in place of {removed} line(s) that were not on view"
    body = compared([shown[at][0] for at in numbers], new) if known else _all("+", new)
    return [("@", told), *_all(" ", above), *body, *_all(" ", below)]


def _learn(observation: str, files: dict[str, _Shown], index: int) -> None:
    window = _WINDOW.search(observation)
    if window:
        shown = files.setdefault(window[1], {})
        for at, line in _NUMBERED.findall(observation, window.end()):
            shown[int(at)] = line, index


def compared(old: Sequence[str], new: Sequence[str]) -> list[Line]:
    """Lines that went, came and stayed; plainly one text for the other where both are long."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    # A table bounds the time, whatever the lines are.
    inner = _by_table(gone, come) if len(gone) * len(come) <= _MOST_CELLS else None
    if inner is None:
        inner = [*_all("-", gone), *_all("+", come)]
    return [*_all(" ", old[:head]), *inner, *_all(" ", old[len(old) - tail :])]


def _by_table(old: Sequence[str], new: Sequence[str]) -> list[Line]:
    """By the longest common subsequence: `best[i][j]` is that of `old[i:]` and `new[j:]`."""
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            same = old[i] == new[j]
            best[i][j] = best[i + 1][j + 1] + 1 if same else max(best[i + 1][j], best[i][j + 1])
    lines: list[Line] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            lines.append((" ", old[i]))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            lines.append(("-", old[i]))
            i += 1
        else:
            lines.append(("+", new[j]))
            j += 1
    return [*lines, *_all("-", old[i:]), *_all("+", new[j:])]


def _all(mark: str, lines: Sequence[str]) -> list[Line]:
    return [(mark, line) for line in lines]


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []
