"""Bad submissions of predictions, made from a valid one by the format of each of its files."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgym.task.check.answers import Folders
from mlgym.task.check.bad_arrays import bad_arrays
from mlgym.task.check.bad_csv import bad_tables
from mlgym.task.check.bad_json import bad_json, bad_json_lines
from mlgym.task.submission import Files

_FILES = 3  # of a folder's files, how many are spoiled one by one


_FEW = (
    *("empty", "random bytes", "half of", "other ids", "every row twice", "arrays of other names"),
    *("NaN in one place", "NaN for one number", "words everywhere", "text for one number"),
    *("the constant", "the first row", "the training labels", "a copy of", "a claim of a terabyte"),
    *("5,000 digits in one place", "400 digits", "a pickle", "an empty object", "nan for every"),
)
"""How the names begin of what is tried where there is little time."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A submission that must gain nothing, and what is bad about it."""

    name: str
    files: Files


def few_predictions(valid: Files, folders: Folders) -> Iterator[Bad]:
    """One of each kind of bad submission, and all constants and copies."""
    for bad in bad_predictions(valid, folders):
        if bad.name.partition(": ")[2].startswith(_FEW):
            yield bad


def bad_predictions(valid: Files, folders: Folders) -> Iterator[Bad]:
    """Every defect of every file."""
    training = _training(folders)
    arrays = [path for _, path in folders.public_files if path.suffix in (".npz", ".npy")]
    for path in sorted(valid)[:_FILES]:
        for name, content in bad_bytes(valid[path]):
            yield Bad(f"{path}: {name}", {**valid, path: content})
        for name, content in _by_format(path, valid[path], training, arrays):
            yield Bad(f"{path}: {name}", {**valid, path: content})


def bad_bytes(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What is bad in every format."""
    yield "empty", b""
    yield "random bytes", random.Random(0).randbytes(4096)
    yield "zeros", bytes(1000)
    yield "cut in half", content[: len(content) // 2]
    yield "text in another encoding", "ÿþ".encode("utf-16") * 100


def _by_format(
    path: str, content: bytes, training: Mapping[str, Sequence[str]], arrays: list[Path]
) -> Iterator[tuple[str, bytes]]:
    suffix = Path(path).suffix.lower()
    found: Iterator[tuple[str, bytes]] = iter(())
    if suffix in (".csv", ".tsv"):
        found = bad_tables(content, "\t" if suffix == ".tsv" else ",", dict(training))
    elif suffix == ".json":
        found = bad_json(content)
    elif suffix in (".jsonl", ".ndjson"):
        found = bad_json_lines(content)
    elif suffix in (".npz", ".npy"):
        found = bad_arrays(content, suffix, arrays)
    first = next(found, None)
    # A file that is not what its name says is spoiled as a text.
    yield from _text(content) if first is None else itertools.chain([first], found)


def _text(content: bytes) -> Iterator[tuple[str, bytes]]:
    lines = content.splitlines(keepends=True)
    yield "half of its lines", b"".join(lines[: len(lines) // 2])
    yield "every line twice", b"".join([*lines, *lines])
    words = content.split()
    for word in (b"nan", b"inf", b"-inf", b"1e999", b"word", b"9" * 400):
        yield f"{word[:10].decode()} for every word", b" ".join([word] * len(words))


def _training(folders: Folders) -> dict[str, Sequence[str]]:
    """The public labels by the name of their column, from the longest table that has them."""
    found: dict[str, Sequence[str]] = {}
    for table in sorted(folders.public, key=lambda table: table.rows):
        for name, cells in table.columns.items():
            texts = [cell for cell in cells if isinstance(cell, str)]
            if len(table.columns) > 1 and len(texts) == len(cells):
                found[name] = texts
    return found
