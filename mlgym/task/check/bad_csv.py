"""Bad tables, made from a valid one: defects of form, impossible values, constants."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from mlgym.task.check.answers import KEYS

Rows = list[list[str]]
Spoiled = Iterator[tuple[str, bytes]]

_CLASSES = 20  # distinct values up to which numbers are classes
_CONSTANTS = 10
_TEXTS = 3


def bad_tables(content: bytes, delimiter: str, training: dict[str, Sequence[str]]) -> Spoiled:
    """Names of defects, and the file with each.

    `training` holds the public labels, by the name of their column. Yields nothing where `content`
    is no table with a header.
    """
    text = content.decode("utf-8-sig", "replace")
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    if len(rows) < 3 or len({len(row) for row in rows}) != 1:
        return

    def written(rows: Rows) -> bytes:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
        return out.getvalue().encode()

    for name, spoiled in _forms(rows[0], rows[1:]):
        yield name, written(spoiled)
    yield "a quote that does not end", content + b'"'
    key = _key(rows[0])
    for place, column in enumerate(rows[0]):
        if place != key:
            pool = training.get(column, ())
            for name, values in _columns([row[place] for row in rows[1:]], pool):
                cells = [
                    [*row[:place], value, *row[place + 1 :]]
                    for row, value in zip(rows[1:], values, strict=True)
                ]
                yield f"{name} as {column}", written([rows[0], *cells])


def _key(head: Sequence[str]) -> int | None:
    """Where the column of names is; a single column is none."""
    if len(head) == 1:
        return None
    named = (place for place, name in enumerate(head) if name.lower() in KEYS)
    return next(named, 0)


def _forms(head: list[str], body: Rows) -> Iterator[tuple[str, Rows]]:
    yield "its header alone", [head]
    yield "no header", body
    yield "another header", [[f"{name}_" for name in head], *body]
    yield "half of the rows", [head, *body[: len(body) // 2]]
    yield "one row too few", [head, *body[1:]]
    yield "every row twice", [head, *body, *body]
    yield "one row twice", [head, *body, body[0]]
    yield "a row too short", [head, *body[1:], body[0][:-1]]
    yield "a row too long", [head, *body[1:], [*body[0], "1"]]
    key = _key(head)
    if key is not None:
        other = [[*row[:key], f"{row[key]}9", *row[key + 1 :]] for row in body]
        yield "other ids", [head, *other]
        yield (
            "the same id in all rows",
            [
                head,
                *([*row[:key], body[0][key], *row[key + 1 :]] for row in body),
            ],
        )


def _columns(cells: list[str], training: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """A column of values to predict, spoiled; `training` are the labels to copy."""
    count = len(cells)
    strange = {
        "nothing": "",
        "NaN": "nan",
        "an infinity": "inf",
        "a negative infinity": "-inf",
        "an overflow": "1e999",
        "5,000 digits": "9" * 5000,
        "words": "a word",
        "markup": "=cmd|'x'!A0",
        "a huge number": "1e308",
        "a negative number": "-1000000",
    }
    for name, value in strange.items():
        yield f"{name} in one place", [value, *cells[1:]]
        yield f"{name} everywhere", [value] * count
    for value in _constants([*training, *cells] if training else cells):
        yield f"the constant {value[:40]!r}", [value] * count
    yield "the first row's value everywhere", [cells[0]] * count
    if training:
        yield "the training labels", [training[row % len(training)] for row in range(count)]


def _constants(values: Sequence[str]) -> Iterator[str]:
    """The constants that are worth a try: the most frequent values, or means of numbers."""
    counts = Counter(values)
    found = as_numbers(values)
    if found is None:
        few = len(counts) <= _CLASSES
        yield from (value for value, _ in counts.most_common(_CONSTANTS if few else _TEXTS))
    elif len(counts) <= _CLASSES:
        yield from (value for value, _ in counts.most_common(_CONSTANTS))
    else:
        middle: tuple[Callable[[list[float]], float], ...] = (statistics.fmean, statistics.median)
        yield from (repr(of(found)) for of in middle)
        yield "0"


def as_numbers(values: Sequence[str]) -> list[float] | None:
    """The values as numbers, None where one is none."""
    try:
        return [float(value) for value in values]
    except ValueError:
        return None
