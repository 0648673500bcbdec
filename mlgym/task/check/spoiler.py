"""Goes behind a submitted program and turns what its functions answer into something bad.

Its text is appended to the program's own, where the last line calls `mlgym_spoil`; it runs in the
player's sandbox, on the standard library.
"""

import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any


def mlgym_spoil(names: dict[str, Any], how: str) -> None:
    """Wrap the functions of a module, and the methods of its classes, given its `globals()`."""
    module = names["__name__"]

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def spoiled(*arguments: Any, **options: Any) -> Any:
            return mlgym_spoiled(lambda: function(*arguments, **options), how)

        return spoiled

    for name, value in list(names.items()):
        if name.startswith(("_", "mlgym_")) or getattr(value, "__module__", None) != module:
            continue
        if isinstance(value, types.FunctionType):
            names[name] = wrap(value)
        elif isinstance(value, type):
            for method, inner in list(vars(value).items()):
                if isinstance(inner, types.FunctionType) and not method.startswith("_"):
                    setattr(value, method, wrap(inner))


def mlgym_spoiled(function: Callable[[], Any], how: str) -> Any:
    """The answer of `function`, spoiled."""
    if how == "crash":
        raise RuntimeError("on purpose")
    if how == "exit":
        os._exit(0)
    if how == "hang":
        time.sleep(10**6)
    # What costs time is done once: a game calls its strategy ten thousand times a round.
    again = hasattr(sys, "mlgym_called")
    sys.mlgym_called = True  # type: ignore[attr-defined]
    if how == "flood" and not again:
        for _ in range(64):
            os.write(1, b"x" * (1 << 20) + b"\n")
            os.write(2, b"x" * (1 << 20) + b"\n")
    answer = function()
    if how == "flood" or (again and how in ("huge", "deep")):
        return answer
    return mlgym_other(answer, how)


def mlgym_other(answer: Any, how: str) -> Any:
    """Something else in place of an answer; what is no answer (a policy, say) is left alone."""
    parts: Any = answer
    is_array = hasattr(answer, "dtype") and hasattr(answer, "shape")
    if isinstance(answer, dict):
        return {key: mlgym_other(part, how) for key, part in parts.items()}
    if isinstance(answer, tuple) and parts and hasattr(parts[0], "dtype"):
        return (mlgym_other(parts[0], how), *parts[1:])  # an answer, and a state for the next
    if not (is_array or answer is None or isinstance(answer, int | float | str | list | tuple)):
        return parts
    whole = {"none": None, "text": "a word", "object": object()}
    if how in whole:
        return whole[how]
    if how == "huge":
        return [0.5] * 3_000_000
    if how == "deep":
        for _ in range(100_000):
            parts = [parts]
        return parts
    if how == "shape":
        if is_array:
            return parts[None] if parts.shape == () else parts[:-1]
        return [*parts, *parts[:1]] if isinstance(answer, list | tuple) else [parts]
    return mlgym_filled(parts, {"nan": float("nan"), "infinity": float("inf")}.get(how, 10**9))


def mlgym_filled(answer: Any, value: float) -> Any:
    """The same form, every number another one."""
    if hasattr(answer, "dtype") and hasattr(answer, "shape"):
        import numpy

        kind = str(answer.dtype)
        if kind.startswith(("int", "uint")) and value == 10**9:
            return numpy.full(answer.shape, 100).astype(kind)
        return numpy.full(answer.shape, value, dtype=kind if "float" in kind else "float64")
    if type(answer) in (list, tuple):
        return [mlgym_filled(part, value) for part in answer]
    return value
