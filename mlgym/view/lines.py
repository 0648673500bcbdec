"""Lines of a trajectory as the page gets them: every field of the right type, or absent.

A line that is no step is shown as such: its `problem` says what it is, and the others stay. JSON
for a browser has no infinities and no NaN; where a line holds one, the number is null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mlgym.runs.listing import finite
from mlgym.trajectory import IMAGE

Step = dict[str, Any]
MOST_TEXT = 200_000
"""Characters of a text that are sent; what lies in its middle beyond them is cut out."""
_SHORT = 160
_LARGEST = 1 << 53  # the last whole number that a browser tells from the next
_TEXTS = ("thought", "observation", "tool")
_NUMBERS = ("duration_s", "time")
_TOKENS = ("calls", "input_tokens", "cached_tokens", "output_tokens")
_SPACE = re.compile(r"\s*")


@dataclass(slots=True)
class Spent:
    """What the lines so far cost. `cost_usd` is None once a part of it is unknown."""

    tokens: int = 0
    cost_usd: float | None = 0.0

    def add(self, usage: Mapping[str, Any] | None) -> None:
        if usage is None:
            return
        self.tokens += (usage["input_tokens"] or 0) + (usage["output_tokens"] or 0)
        cost: float | None = usage["cost_usd"]
        if self.cost_usd is not None:
            self.cost_usd = None if cost is None else finite(self.cost_usd + cost)


def read_line(line: bytes | None, index: int) -> Step:
    """The step in a line; None stands for a line that is too long to be read."""
    if line is None:
        return _broken(index, "this line is too long to be read", "")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _broken(index, f"this line is no JSON: {error}", _shown(line))
    if not isinstance(found, dict):
        return _broken(index, "this line holds no object", _shown(line))
    return _typed(cast("dict[str, Any]", found), index)


def _typed(found: Mapping[str, Any], index: int) -> Step:
    get = found.get
    step: Step = {"step": index, "parent": None, "thought": "", "action": None}
    for name in ("step", "parent", "exit_code"):
        value = get(name)
        if type(value) is int and abs(value) <= _LARGEST:
            step[name] = value
    for name in _TEXTS:
        value = get(name)
        step[name] = value if isinstance(value, str) else ""
    action = get("action")
    step["action"] = action if isinstance(action, str) else None
    step["reward"] = finite(get("reward"))
    step["terminated"], step["truncated"] = get("terminated") is True, get("truncated") is True
    step.setdefault("exit_code", None)
    metrics, usage = get("metrics"), get("usage")
    step["metrics"] = _numbers(metrics) if isinstance(metrics, dict) else None
    step["usage"] = _usage(usage) if isinstance(usage, dict) else None
    for name in _NUMBERS:
        step[name] = finite(get(name))
    image = get("image")
    if isinstance(image, str) and IMAGE.fullmatch(image):
        step["image"] = image
    return step


def _broken(index: int, problem: str, text: str) -> Step:
    step = _typed({}, index)
    return step | {"problem": problem, "observation": text}


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")


def _numbers(found: Any) -> dict[str, float | None]:
    return {name: finite(value) for name, value in found.items()}


def _usage(found: Any) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for name in _TOKENS:
        value = found.get(name)
        usage[name] = value if type(value) is int and 0 <= value <= _LARGEST else None
    usage["cost_usd"] = finite(found.get("cost_usd"))
    return usage


def summary(step: Step, spent: Spent) -> Step:
    """A step in short, for the timeline; `spent` includes its own cost. Nulls are left out."""
    short = {
        "step": step["step"],
        "parent": step["parent"],
        "tool": step["tool"],
        "action": None if step["action"] is None else _first_line(step["action"]),
        "exit_code": step["exit_code"],
        "reward": step["reward"],
        "metrics": step["metrics"],
        "terminated": step["terminated"],
        "truncated": step["truncated"],
        "duration_s": step["duration_s"],
        "time": step["time"],
        "cost_usd": spent.cost_usd,
        "tokens": spent.tokens,
        "thought": _first_line(step["thought"]) or None,
        "image": step.get("image"),
        "size": len(step["observation"]),
        "problem": step.get("problem"),
    }
    return {name: value for name, value in short.items() if value is not None}


def _first_line(text: str) -> str:
    """The first line that is not blank."""
    begin = cast("re.Match[str]", _SPACE.match(text)).end()
    end = text.find("\n", begin)
    return text[begin : begin + _SHORT if end < 0 else min(end, begin + _SHORT)]


def cut(step: Step) -> Step:
    """The step with no text longer than `MOST_TEXT`; `cut` counts what its observation lost."""
    fresh = dict(step)
    for name in ("thought", "action", "observation"):
        text = step[name]
        if text is None or len(text) <= MOST_TEXT:
            continue
        lost, half = len(text) - MOST_TEXT, MOST_TEXT // 2
        fresh[name] = f"{text[:half]}\n[... {lost} characters are not shown ...]\n{text[-half:]}"
        if name == "observation":
            fresh["cut"] = lost
    return fresh
