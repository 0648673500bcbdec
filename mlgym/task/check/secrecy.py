"""Looks for answers in what an agent can read: in rows, in columns, in the bytes of files."""

from __future__ import annotations

import mmap
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlgym.task.check.answers import (
    Alignment,
    Answers,
    Folders,
    alignments,
    is_blank,
    shared_rows,
)
from mlgym.task.check.chance import agree_beyond_chance, numbers, purity, rank_correlation
from mlgym.task.check.tables import Cell, content, read_tables, searchable

_SHORTEST = 32  # bytes of a private file below which its content may be anywhere by chance
_WINDOW, _WINDOWS = 200, 200  # bytes of a piece of a private file, and how many pieces are tried
_PIECES = 0.05  # share of the pieces that may be found: quotations, licences


def leaks(folders: Folders) -> Iterator[str]:
    """Everything public that gives away something private: file, column or row, and what it is."""
    yield from _whole_files(folders)
    yield from _pieces(folders)
    yield from _lines(folders)
    seen: set[tuple[str, str]] = set()
    for answers in folders.answers:
        aligned = list(alignments(answers, folders.public))
        for alignment in aligned:
            for column, found in _columns(alignment):
                if (alignment.public.file, column) not in seen:
                    seen.add((alignment.public.file, column))
                    yield f"{alignment.public.file}, column {column}: {found}"
        yield from _rows(folders, answers, aligned)


def _whole_files(folders: Folders) -> Iterator[str]:
    for hidden, path in folders.private_files:
        secret = content(path)
        if secret is None or len(secret.strip()) < _SHORTEST:
            continue
        for shown, other in folders.public_files:
            if _holds(other, [secret.strip()]):
                yield f"{shown}: holds the whole content of {hidden}"


def _pieces(folders: Folders) -> Iterator[str]:
    """Private files whose rows have no names, looked for piece by piece."""
    named = {answers.table.file for answers in folders.answers if answers.key is not None}
    keyed = {path for name, path in folders.private_files if _starts(named, name)}
    for hidden, path in folders.private_files:
        secret = searchable(path)
        if secret is None or len(secret) < _SHORTEST or path in keyed:
            continue
        draw = random.Random(hidden)
        starts = range(max(1, len(secret) - _WINDOW))
        chosen = [draw.choice(starts) for _ in range(_WINDOWS)]
        pieces = [secret[start : start + _WINDOW] for start in chosen]
        # Runs of zeros and the like are everywhere.
        pieces = [piece for piece in pieces if len(set(piece)) > 8]
        for shown, other in folders.public_files:
            share = _holds(other, pieces) / max(len(pieces), 1)
            if share > _PIECES and not _holds(other, [secret.strip()]):  # told already
                yield f"{shown}: holds {share:.0%} of the pieces tried of {hidden}"


def _starts(names: set[str], file: str) -> bool:
    """Whether a table of the file is among the named ones; a table may be a section of a file."""
    return any(name == file or name.startswith(f"{file}: ") for name in names)


def _holds(path: Path, pieces: Sequence[bytes]) -> int:
    """How many of the pieces the file holds."""
    data = searchable(path)
    if data is not None:
        return sum(piece in data for piece in pieces)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return sum(mapped.find(piece) >= 0 for piece in pieces)


def _lines(folders: Folders) -> Iterator[str]:
    """Lines of private tables in public text that is no table."""
    tables = {table.file for table in folders.public}
    for hidden, path in folders.private_files:
        secret = content(path) if read_tables(path, hidden) else None
        lines = {line.strip() for line in (secret or b"").splitlines()[1:]}
        lines = {line for line in lines if len(line) > 2 and line.isascii()}
        for shown, other in folders.public_files if lines else ():
            data = content(other) if shown not in tables else None
            found = lines.intersection(map(bytes.strip, (data or b"").splitlines()))
            if len(found) > _PIECES * len(lines):
                line = min(found)[:80].decode("ascii", "replace")
                yield f"{shown}: holds {len(found)} lines of {hidden}, {line!r} for instance"


def _columns(alignment: Alignment) -> Iterator[tuple[str, str]]:
    """The public columns that tell a label, each with how."""
    answers, public = alignment.answers, alignment.public
    hidden = answers.table.columns
    is_sample = set(public.columns) <= set(hidden)
    shown_labels = [label for label in answers.labels if label in public.columns]
    inputs = shown_labels if not answers.sure and len(shown_labels) < len(answers.labels) else []
    named = alignment.key is not None and (
        alignment.key == answers.key or 2 * len(alignment.pairs) >= len(answers.names)
    )
    for column, cells in public.columns.items():
        if column in (alignment.key, answers.key, *inputs):
            continue
        pairs = [(row, there) for row, there in alignment.pairs if not is_blank(cells[row])]
        if not pairs:
            continue
        row, there = pairs[0]
        found = None
        if column in answers.labels and named and not is_sample:
            found = f"row {row + 1} holds the label of a row of {answers.table.file}"
        for label in () if found else answers.labels:
            truth = [hidden[label][there] for _, there in pairs]
            told = _tells([cells[row] for row, _ in pairs], truth, strict=is_sample)
            if told is not None:
                found = f"{told} {label} in {answers.table.file} (row {row + 1} is row {there + 1})"
                break
        if found is not None:
            yield column, found


def _tells(shown: Sequence[Cell], hidden: Sequence[Cell], *, strict: bool) -> str | None:
    """How a public column tells a hidden one, None where it does not."""
    share = agree_beyond_chance(shown, hidden)
    # An input may well resemble the label; a sample submission must not.
    if share is not None and (strict or share >= 0.9):
        return f"is in {share:.0%} of {len(shown)} rows the hidden"
    if strict or len(shown) < 20:
        return None
    few = len(shown) / 4
    classes = Counter(hidden)
    if len(set(shown)) <= few and 1 < len(classes) <= few and max(classes.values()) < 3 * few:
        if purity(shown, hidden) > 0.999:
            return "decides the hidden"
        return None
    one, other = numbers(shown), numbers(hidden)
    if one is not None and other is not None and abs(rank_correlation(one, other)) > 0.9999:
        return "orders all rows as the hidden"
    return None


def _rows(folders: Folders, answers: Answers, aligned: Sequence[Alignment]) -> Iterator[str]:
    """Rows of arrays that are hidden here and public there, where they are not the inputs."""
    inputs = {found.public.file for found in aligned if found.key is not None or _lacks(found)}
    for table in folders.public:
        found = shared_rows(answers.table, table) if table.file not in inputs else []
        # A few rows, again and again, are classes written as arrays.
        if found and 2 * len({there for _, there in found}) >= len(found):
            here, there = found[0]
            count = f"{len(found)} of {answers.table.rows} rows of {answers.table.file}"
            yield f"{table.file}: holds {count}: row {there + 1} is row {here + 1} there"


def _lacks(aligned: Alignment) -> bool:
    """Whether a public table of as many rows has some columns of the answers, and not all."""
    shared = set(aligned.public.columns) & set(aligned.answers.table.columns)
    return 0 < len(shared) < len(aligned.answers.table.columns)
