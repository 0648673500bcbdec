"""Many environments' infos as one: Gymnasium's layout, made for a whole batch at once.

A key's values lie in an array, beside them under `_key` a mask of who has it. Gymnasium adds one
environment at a time and makes a new mask for each key of each; here each array is made once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Info = Mapping[str, Any]
_PLAIN = ({int}, {float}, {bool})


def batched(infos: Sequence[Info | None]) -> dict[str, Any]:
    """What `VectorEnv._add_info` comes to for these, by index; None adds nothing."""
    size = len(infos)
    made: dict[str, Any] = {}
    for key, (numbers, values) in _by_key(infos).items():
        mask = np.ones(size, dtype=np.bool_)
        if len(numbers) < size:
            mask[:] = False
            mask[numbers] = True
        made[key], made[f"_{key}"] = _column(key, numbers, values, size), mask
    return made


def unbatched(infos: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The info of one environment out of what `batched` made of all."""
    made: dict[str, Any] = {}
    for key, column in infos.items():
        mask = infos.get(f"_{key}")
        if mask is not None and mask[number]:
            # A number of Python's for one of numpy's, as it was.
            value = unbatched(column, number) if isinstance(column, dict) else column[number]  # pyright: ignore[reportUnknownArgumentType]
            made[key] = value.item() if isinstance(value, np.generic) else value
    return made


def _by_key(infos: Sequence[Info | None]) -> Mapping[str, tuple[Sequence[int], list[Any]]]:
    """Each key's values, and by whom they are."""
    known = [info for info in infos if info is not None]
    keys = known[0].keys() if known else ()
    # Most batches are of steps of one kind.
    if len(known) == len(infos) and all(info.keys() == keys for info in known):
        return {key: (range(len(known)), [info[key] for info in known]) for key in keys}
    found: dict[str, tuple[list[int], list[Any]]] = {}
    for number, info in enumerate(infos):
        for key, value in (info or {}).items():
            have = found.setdefault(key, ([], []))
            have[0].append(number)
            have[1].append(value)
    return found


def _column(key: str, numbers: Sequence[int], values: list[Any], size: int) -> Any:
    first: Any = values[0]
    if key != "final_obs" and isinstance(first, dict):
        inner: list[Info | None] = [None] * size
        for number, value in zip(numbers, values, strict=True):
            inner[number] = value
        return batched(inner)
    column: np.ndarray[Any, Any]
    if len(values) == size:
        kinds = set(map(type, values))
        if kinds in _PLAIN:
            return np.array(values)
        if kinds == {str}:
            return np.array(values, dtype=object)
    if key == "final_obs":
        column = np.full(size, None, dtype=object)
    elif _is_number(first):
        column = np.zeros(size, dtype=first.__class__)
    elif issubclass(type(first), np.ndarray):
        column = np.stack([np.zeros_like(first)] * size)
    else:
        column = np.full(size, None, dtype=object)
    for number, value in zip(numbers, values, strict=True):
        column[number] = value
    return column


def _is_number(value: object) -> bool:
    return type(value) in (int, float, bool) or isinstance(value, np.number)
