"""Stand-ins for parts of the standard library that a cold start should not wait for.

`signal`, `contextlib` and `json` import `enum`, `re`, `functools` and `collections`: together they
take longer than the rest of the guest. What stands behind them is C, and used here directly; where
an interpreter lacks it, the real ones are taken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from contextlib import suppress
    from typing import Any, cast
else:
    import _signal as signal

    def cast(_, value):
        return value

    class suppress:  # noqa: N801 - it stands for contextlib's
        def __init__(self, *kinds):
            self.kinds = kinds

        def __enter__(self):
            return None

        def __exit__(self, kind, value, traceback):
            return kind is not None and issubclass(kind, self.kinds)


__all__ = ["TYPE_CHECKING", "dumps", "loads", "signal", "suppress"]


class _Plain:
    """How JSON is read: as `json.loads` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 - the C code wants one, and clears it


try:
    from _json import encode_basestring_ascii as _quoted
    from _json import make_scanner

    _scan: Callable[[str, int], tuple[Any, int]] | None = make_scanner(cast("Any", _Plain))
except ImportError:
    from json.encoder import encode_basestring_ascii as _quoted

    _scan = None


def loads(text: str) -> Any:
    """The value that a whole text of JSON stands for. Raises ValueError."""
    if _scan is None:
        import json

        return json.loads(text)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("no JSON") from None
    if end != len(text):
        raise ValueError("more than one value of JSON")
    return value


def dumps(value: object) -> str:
    """JSON without white space, of dicts, lists, tuples, texts, numbers, truth values and None."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None or value is True or value is False:
        return "null" if value is None else "true" if value else "false"
    plain = cast("Any", value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quoted(k)}:{dumps(v)}" for k, v in plain.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([dumps(item) for item in plain]) + "]"
    return repr(value)
