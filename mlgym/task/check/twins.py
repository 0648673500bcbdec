"""Looks for rows to predict that are also training rows, where their label is public."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlgym.task.check.answers import Alignment, Folders, alignments, hosts
from mlgym.task.check.tables import Cell, Table
from mlgym.task.manifest import file_sum

_SHOWN = 3  # places that one finding names


def twins(folders: Folders) -> Iterator[str]:
    """Every pair of a public table with hidden labels and another that holds rows of it."""
    seen: set[tuple[str, str]] = set()
    # Other halves of the hidden rows are no training rows.
    apart = {alignment.public.file for alignment in _aligned(folders)}
    for answers in folders.answers:
        keyed = [host for host in hosts(folders, answers) if _inputs(host)]
        by_order = [found for found in alignments(answers, folders.public) if found.key is None]
        for host in keyed or by_order:
            for other in folders.public:
                pair = (host.public.file, other.file)
                if other.file in {*apart, host.public.file} or pair in seen:
                    continue
                seen.add(pair)
                yield from _shared(host, other)
    yield from _files(folders)


def _aligned(folders: Folders) -> Iterator[Alignment]:
    for answers in folders.answers:
        yield from hosts(folders, answers)


def _inputs(host: Alignment) -> list[str]:
    """The public columns that describe a row, beside its name and its label."""
    aside = {host.key, host.answers.key, *host.answers.labels}
    return [column for column in host.public.columns if column not in aside]


def _shared(host: Alignment, other: Table) -> Iterator[str]:
    rows = [row for row, _ in host.pairs]
    inputs = _inputs(host)
    named = [column for column in inputs if column in other.columns]
    if inputs and named == inputs:
        yield from _overlap(host, other, rows, [(column, column) for column in inputs])
        return
    for column in inputs:  # arrays are alike by content, whatever they are called
        if isinstance(host.public.columns[column][0], bytes):
            for there, cells in other.columns.items():
                if isinstance(cells[0], bytes):
                    yield from _overlap(host, other, rows, [(column, there)])


def _overlap(
    host: Alignment, other: Table, rows: Sequence[int], columns: Sequence[tuple[str, str]]
) -> Iterator[str]:
    known: dict[tuple[Cell, ...], int] = {}
    for row in range(other.rows):
        known.setdefault(tuple(other.columns[there][row] for _, there in columns), row)
    found: list[str] = []
    for row in rows:
        twin = known.get(tuple(host.public.columns[here][row] for here, _ in columns))
        if twin is not None:
            found.append(f"row {row + 1} is row {twin + 1}")
    if found:
        shown = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        yield (
            f"{host.public.file}: {len(found)} of {len(rows)} rows of {host.answers.table.file} "
            f"are in {other.file} too: {shown}"
        )


def _files(folders: Folders) -> Iterator[str]:
    """Files named after a row to predict that have the content of another public file."""
    names = {str(name) for answers in folders.answers for name in answers.names}
    sums: dict[str, list[tuple[str, Path]]] = {}
    for name, path in folders.public_files:
        if path.stat().st_size:
            sums.setdefault(file_sum(path), []).append((name, path))
    for alike in sums.values():
        hidden = [name for name, path in alike if {path.name, path.stem} & names]
        other = [name for name, path in alike if not {path.name, path.stem} & names]
        if hidden and other:
            yield f"{hidden[0]}: has the content of {other[0]}"
