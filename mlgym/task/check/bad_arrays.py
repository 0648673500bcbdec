"""Bad numpy files, made from a valid one: other shapes and types, impossible numbers, constants."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]
Spoiled = Iterator[tuple[str, bytes]]

_ONE = "array"  # the name under which the array of an .npy file goes here
_CLASSES = 20
_CONSTANTS = 10


def bad_arrays(content: bytes, suffix: str, public: list[Path]) -> Spoiled:
    """Names of defects, and the file with each; nothing where `content` is no file of arrays.

    `public` are files whose arrays may be handed in as they are: copies of the training data.
    """
    try:
        arrays = read_arrays(content, suffix)
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, EOFError):
        return
    for name, changed in _forms(arrays, suffix):
        yield name, written(changed, suffix)
    for key, array in arrays.items():
        if not array.ndim or not len(array):
            continue
        for name, other in _changes(array):
            yield f"{name} as {key}", written({**arrays, key: other}, suffix)
        yield f"a claim of a terabyte as {key}", _claimed(arrays, key, suffix)
    for path in public:
        copied = _copied(arrays, path)
        if copied is not None:
            yield f"a copy of {path.name}", written(copied, suffix)


def read_arrays(content: bytes, suffix: str) -> dict[str, Any]:
    """The arrays by name. Raises ValueError, OSError, BadZipFile, KeyError, EOFError."""
    found = np.load(io.BytesIO(content), allow_pickle=False)
    if suffix == ".npy":
        return {_ONE: found}
    with found:
        return {key: found[key] for key in found.files}


def written(arrays: Arrays, suffix: str) -> bytes:
    """A file with these arrays."""
    out = io.BytesIO()
    if suffix == ".npy":
        np.save(out, next(iter(arrays.values()), np.zeros(0)), allow_pickle=True)
    else:
        np.savez_compressed(out, **arrays)
    return out.getvalue()


def _forms(arrays: Arrays, suffix: str) -> Iterator[tuple[str, Arrays]]:
    if suffix != ".npy":
        yield "no array", {}
        yield "arrays of other names", {f"{key}_": array for key, array in arrays.items()}
        for key in arrays if len(arrays) > 1 else ():
            yield f"no {key}", {name: array for name, array in arrays.items() if name != key}
    whole = {key: array for key, array in arrays.items() if array.ndim}
    yield "half of the rows", {**arrays, **{key: a[: len(a) // 2] for key, a in whole.items()}}
    twice = {key: np.concatenate([a, a]) for key, a in whole.items()}
    yield "every row twice", {**arrays, **twice}
    yield (
        "the first row everywhere",
        {
            **arrays,
            **{key: np.repeat(a[:1], len(a), axis=0) for key, a in whole.items()},
        },
    )


def _changes(array: Any) -> Iterator[tuple[str, Any]]:
    numeric = np.issubdtype(array.dtype, np.number)
    yield "no row", array[:0]
    yield "one axis less", array.ravel() if array.ndim > 1 else array[0]
    yield "one axis more", array[..., None]
    yield "words", np.full(array.shape, "a word")
    yield "a pickle", np.array([{"a": "pickle"}] * len(array), dtype=object)
    yield "complex numbers", np.full(array.shape, 1j)
    if not numeric:
        return
    for name, value in (("NaN", np.nan), ("an infinity", np.inf), ("a negative one", -np.inf)):
        wide = array.astype(np.float64)
        yield f"{name} everywhere", np.full_like(wide, value)
        wide.flat[0] = value
        yield f"{name} in one place", wide
    if np.issubdtype(array.dtype, np.floating):
        with np.errstate(over="ignore"):
            yield "huge numbers", np.full_like(array, np.finfo(array.dtype).max)
            yield "the mean", np.full_like(array, array.mean(dtype=np.float64))
    else:
        yield "fractions", array + 0.5
        yield "huge numbers", np.full_like(array, np.iinfo(array.dtype).max)
        yield "other numbers", np.full_like(array, np.iinfo(array.dtype).min)
        values, counts = np.unique(array, return_counts=True)
        for value in values[np.argsort(-counts)][:_CONSTANTS] if len(values) <= _CLASSES else ():
            yield f"the constant {value}", np.full_like(array, value)
    yield "zeros", np.zeros_like(array)


def _claimed(arrays: Arrays, key: str, suffix: str) -> bytes:
    """A file in which the header of one array promises more than any machine has."""
    kind, shape = arrays[key].dtype, (2**40, *arrays[key].shape[1:])
    head = f"{{'descr': {kind.str!r}, 'fortran_order': False, 'shape': {shape!r}}}\n".encode()
    lone = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64)
    if suffix == ".npy":
        return lone
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", lone if name == key else written({_ONE: array}, ".npy"))
    return out.getvalue()


def _copied(arrays: Arrays, path: Path) -> dict[str, Any] | None:
    """The rows of a public file in place of a submission's, None where they do not fit."""
    try:
        public = read_arrays(path.read_bytes(), path.suffix)
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, EOFError):
        return None
    copied: dict[str, Any] = {}
    for key, array in arrays.items():
        other = public.get(key)
        if other is None or other.ndim != array.ndim or other.shape[1:] != array.shape[1:]:
            return None
        if not array.ndim or not len(other):
            return None
        copied[key] = other[np.arange(len(array)) % len(other)].astype(array.dtype)
    return copied or None
