"""Reads the CSV of a predictions submission strictly, for graders: `import mlgym_kit_csv`.

Standard library only: this file is laid beside `mlgym_kit.py` in the grading sandbox. Every
defect is a `SubmissionError` that names the file, the line and the column.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlgym.task.kit import SubmissionError
else:
    from mlgym_kit import SubmissionError

T = TypeVar("T")

_SHOWN = 40  # characters of a bad cell that an error shows


def read_predictions(
    file: Path, id_column: str, ids: Iterable[str], column: str, parse: Callable[[str], T]
) -> dict[str, T]:
    """The predictions in `file`: each of `ids` exactly once, in any order, mapped to its value.

    The header must be `id_column,column`. `parse` turns a cell into a value and raises
    `ValueError("what was expected")` otherwise.
    """
    rows = _rows(file)
    header = f"{id_column},{column}"
    if not rows:
        raise SubmissionError(f"{file.name}: is empty; expected the header {header}")
    line, first = rows[0]
    if first != [id_column, column]:
        found = _shown(",".join(first))
        raise SubmissionError(f"{file.name}: line {line}: found header {found}, expected {header}")
    wanted = set(ids)
    values: dict[str, T] = {}
    lines: dict[str, int] = {}
    for line, row in rows[1:]:
        where = f"{file.name}: line {line}"
        if len(row) != 2:
            raise SubmissionError(f"{where}: found {len(row)} columns, expected 2 ({header})")
        name, cell = row
        if name in lines:
            raise SubmissionError(
                f"{where}, column {id_column}: {_shown(name)} was given before, "
                f"on line {lines[name]}"
            )
        if name not in wanted:
            raise SubmissionError(f"{where}, column {id_column}: {_shown(name)} is not to predict")
        try:
            values[name] = parse(cell)
        except ValueError as error:
            raise SubmissionError(
                f"{where}, column {column}: found {_shown(cell)}, expected {error}"
            ) from None
        lines[name] = line
    if len(values) < len(wanted):
        missing = sorted(wanted - values.keys(), key=lambda name: (len(name), name))
        raise SubmissionError(
            f"{file.name}: has {len(values)} rows, expected {len(wanted)}: "
            f"{id_column} {missing[0]} is missing" + (" among others" if missing[1:] else "")
        )
    return values


def finite_number(cell: str) -> float:
    """Parse a finite decimal number."""
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def class_label(classes: int) -> Callable[[str], int]:
    """A parser of whole numbers from 0 to `classes` - 1."""

    def parse(cell: str) -> int:
        if not (cell.isascii() and cell.isdecimal() and len(cell) < 10 and int(cell) < classes):
            raise ValueError(f"a whole number from 0 to {classes - 1}")
        return int(cell)

    return parse


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line on which it ends."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{file.name}: byte {error.start} is not UTF-8 text") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise SubmissionError(f"{file.name}: line {reader.line_num}: {error}") from None
    return rows


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
