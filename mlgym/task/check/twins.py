"""Looks for rows to predict that are also training rows, where their label is public."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlgym.task.check.answers import Alignment, Folders, alignments, hosts, shared_rows
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
    """The rows to predict that `other` holds: all inputs by name, or arrays by content."""
    inputs = _inputs(host)
    columns = host.public.columns
    if inputs and all(column in other.columns for column in inputs):
        known: dict[tuple[Cell, ...], int] = {}
        for row in range(other.rows):
            known.setdefault(tuple(other.columns[column][row] for column in inputs), row)
        keys = ((row, tuple(columns[column][row] for column in inputs)) for row, _ in host.pairs)
        found = [(row, known[key]) for row, key in keys if key in known]
    else:
        hidden = {row for row, _ in host.pairs}
        found = [pair for pair in shared_rows(host.public, other) if pair[0] in hidden]
    if found:
        places = [f"row {row + 1} is row {twin + 1}" for row, twin in found]
        shown = ", ".join(places[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        yield (
            f"{host.public.file}: {len(found)} of {len(host.pairs)} rows of "
            f"{host.answers.table.file} are in {other.file} too: {shown}"
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
