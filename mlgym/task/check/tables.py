"""Reads files of data as columns, whatever their format: what the search for leaks looks into.

CSV, TSV, JSON, JSON lines, `.npy` and `.npz`, compressed by gzip or not. Anything else, and what is
too large, has no columns and is searched as bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import numpy as np

Cell = str | bytes
"""A value as text, numbers in one form; or the digest of an array's row."""

MOST_BYTES = 256 << 20
MOST_ROWS = 2_000_000
PARTS = ("validation", "valid", "val", "dev", "test", "train")
"""Words by which files, arrays and sections name the part of the data that they hold."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length out of one file; `file` is what findings call it."""

    file: str
    columns: Mapping[str, Sequence[Cell]]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def canonical(value: Any) -> str:
    """A value as text such that equal values are equal texts: 1, 1.0 and "1.00" are "1"."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.12g}"


def content(path: Path) -> bytes | None:
    """A file's bytes, unpacked; None where there are too many of them."""
    if path.stat().st_size > MOST_BYTES:
        return None
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        return data
    return data if len(data) <= MOST_BYTES else None


def searchable(path: Path) -> bytes | None:
    """What is looked through for pieces: the content, of an archive of arrays all of its members'.

    None where there is too much of it.
    """
    data = content(path)
    if data is None or path.suffix != ".npz":
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) <= MOST_BYTES:
                return b"".join(map(archive.read, archive.namelist()))
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError):
        pass
    return data


def read_tables(path: Path, name: str) -> list[Table]:
    """The tables in a file; none where it has another format or is damaged."""
    data = content(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    try:
        if data is None:
            return []
        found = list(_tables(suffix.lower(), data, path.name.partition(".")[0], name))
    except (ValueError, LookupError, csv.Error, OSError, RecursionError):
        return []
    return [table for table in found if 0 < table.rows <= MOST_ROWS]


def _tables(suffix: str, data: bytes, stem: str, name: str) -> Iterator[Table]:
    if suffix in (".csv", ".tsv"):
        yield from _from_csv(data.decode("utf-8-sig"), "\t" if suffix == ".tsv" else ",", name)
    elif suffix in (".jsonl", ".ndjson"):
        lines = data.decode("utf-8").splitlines()
        yield from _from_json([json.loads(line) for line in lines if line.strip()], name)
    elif suffix == ".json":
        yield from _from_json(json.loads(data), name)
    elif suffix == ".npy":
        yield from _from_arrays({stem: np.load(io.BytesIO(data), allow_pickle=False)}, name)
    elif suffix == ".npz":
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            yield from _from_arrays({key: arrays[key] for key in arrays.files}, name)


def _from_csv(text: str, delimiter: str, name: str) -> Iterator[Table]:
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    if not rows:
        return
    head, *body = rows
    if any(len(row) != len(head) for row in body):
        return
    cells = [[canonical(row[place]) for row in body] for place in range(len(head))]
    yield Table(name, {key.strip(): cells[place] for place, key in enumerate(head)})


def _from_json(value: Any, name: str) -> Iterator[Table]:
    """Objects as rows, an object of lists as columns, one of values as two columns."""
    if isinstance(value, list):
        rows = cast("list[Any]", value)
        if rows and all(isinstance(row, dict) for row in rows):
            yield _from_objects(cast("list[dict[str, Any]]", rows), name)
        else:
            yield Table(name, {"value": [canonical(row) for row in rows]})
    elif isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        if set(inner) <= {*PARTS, "public", "private", "answers", "labels"}:
            for key, part in inner.items():
                yield from _from_json(part, f"{name}: {key}")
            return
        values = list(inner.values())
        lists = [cast("list[Any]", part) for part in values if isinstance(part, list)]
        lengths = {len(part) for part in lists} if len(lists) == len(values) else {-1}
        # More keys than places: the keys are names of rows, not of columns.
        if len(lengths) == 1 and -1 not in lengths and len(inner) <= max(lengths):
            yield Table(name, {key: [canonical(cell) for cell in inner[key]] for key in inner})
        elif values and all(isinstance(part, dict) for part in values):
            yield _from_objects([{"key": key, **part} for key, part in inner.items()], name)
        else:
            cells = {"key": list(map(canonical, inner)), "value": list(map(canonical, values))}
            yield Table(name, cells)


def _from_objects(rows: list[dict[str, Any]], name: str) -> Table:
    keys = dict.fromkeys(key for row in rows for key in row)
    return Table(name, {key: [canonical(row.get(key, "")) for row in rows] for key in keys})


def _from_arrays(arrays: Mapping[str, Any], name: str) -> Iterator[Table]:
    """Arrays of one length are columns of one table, apart by the part that their names say."""
    groups: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)
    for key, array in arrays.items():
        if array.ndim:
            part = next((word for word in key.lower().split("_") if word in PARTS), "")
            groups[len(array), part][key] = array
    for (rows, part), columns in groups.items():
        if rows <= MOST_ROWS:
            named = {key: list(_cells(array)) for key, array in columns.items()}
            yield Table(f"{name}: {part}" if part and len(groups) > 1 else name, named)


def _cells(array: Any) -> Iterable[Cell]:
    if array.ndim == 1:
        return map(canonical, array.tolist())
    mark = f"{array.dtype}{array.shape[1:]}".encode()
    return (blake2b(mark + row.tobytes(), digest_size=16).digest() for row in array)
