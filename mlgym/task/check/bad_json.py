"""Bad JSON, made from a valid file: other shapes, impossible numbers, constants."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any, cast

Spoiled = Iterator[tuple[str, bytes]]


def bad_json(content: bytes) -> Spoiled:
    """Names of defects, and the file with each; nothing where `content` is not JSON."""
    try:
        value = json.loads(content)
    except ValueError:
        return
    yield "an empty object", b"{}"
    yield "an empty list", b"[]"
    yield "null", b"null"
    yield "a text", b'"all of it"'
    yield "a list around it", b"[" + content + b"]"
    yield "brackets without end", b"[" * 100_000
    yield "half of its entries", _written(_half(value))
    yield "a repeated key", _written(value).replace(b"{", b'{"x": 1, "x": 2, ', 1)
    numbers = list(_numbers(value))
    if numbers:
        changes: dict[str, Any] = {
            "NaN": float("nan"),
            "an infinity": float("inf"),
            "a negative infinity": float("-inf"),
            "a huge number": 1e308,
            "a negative number": -1e6,
            "null": None,
            "true": True,
            "text": "a word",
            "a list": [1, 2],
            "zero": 0,
            "the first number": numbers[0],
            "the mean": statistics.fmean(numbers),
        }
        for name, other in changes.items():
            yield f"{name} for every number", _written(_mapped(value, _always(other)))
        digits = _written(_mapped(value, _always(-123454321))).replace(b"-123454321", b"9" * 400)
        yield "400 digits for every number", digits
        yield "NaN for one number", _written(_mapped(value, _once(float("nan"))))
        yield "text for one number", _written(_mapped(value, _once("a word")))


def bad_json_lines(content: bytes) -> Spoiled:
    """The same for one object a line."""
    lines = content.splitlines()
    yield "half of its lines", b"\n".join(lines[: len(lines) // 2]) + b"\n"
    yield "every line twice", b"\n".join([*lines, *lines]) + b"\n"
    yield "its first line everywhere", b"\n".join(lines[:1] * len(lines)) + b"\n"
    for name, spoiled in bad_json(lines[0] if lines else b""):
        yield f"{name}, in one line", b"\n".join([spoiled, *lines[1:]]) + b"\n"


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _always(other: Any) -> Callable[[float], Any]:
    return lambda _: other


def _once(other: Any) -> Callable[[float], Any]:
    left = [other]
    return lambda number: left.pop() if left else number


def _half(value: Any) -> Any:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return items[: len(items) // 2]
    if isinstance(value, dict):
        pairs = list(cast("dict[str, Any]", value).items())
        return dict(pairs[: len(pairs) // 2])
    return None


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _numbers(item)
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _numbers(item)


def _mapped(value: Any, change: Callable[[float], Any]) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in cast("dict[str, Any]", value).items()}
    return value
