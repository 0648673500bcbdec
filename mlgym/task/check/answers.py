"""Understands a task's folders: which rows are hidden, what their labels are, where they are seen.

Nothing is known of a task but its files. A private table is `Answers`: a column of unique values is
its key, the rest its labels. A public table that holds those keys, or as many rows, is aligned with
it row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgym.task.check.tables import Cell, Table, canonical, read_tables
from mlgym.task.data import Prepared
from mlgym.task.manifest import SALT
from mlgym.task.spec import Task, task_files

KEYS = ("id", "ids", "index", "idx", "key", "keys", "name", "file", "filename", "row")
_FOUND = 0.9  # share of an answer table's keys that makes a column of a public table their column


@dataclass(frozen=True, slots=True)
class Answers:
    """A private table. `key` is None where its rows have no names but their order.

    `sure` says that `labels` are known from what a submission holds; else they are all that is no
    key, inputs perhaps among them.
    """

    table: Table
    key: str | None
    labels: tuple[str, ...]
    sure: bool

    @property
    def names(self) -> Sequence[Cell]:
        """The rows' names, their numbers from 0 where they have no other."""
        if self.key is None:
            return [str(number) for number in range(self.table.rows)]
        return self.table.columns[self.key]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Rows of a public table that are rows of the answers: pairs (row there, row of the answers).

    `key` is the public column that names them, None where the order does.
    """

    answers: Answers
    public: Table
    key: str | None
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Folders:
    """All files of a task's data: (name in findings, path), and the tables read from them.

    The starter files are public too.
    """

    public_files: tuple[tuple[str, Path], ...]
    private_files: tuple[tuple[str, Path], ...]
    public: tuple[Table, ...]
    answers: tuple[Answers, ...]


def read_folders(task: Task, prepared: Prepared, label_names: Sequence[str] = ()) -> Folders:
    """Read everything. `label_names` are the columns that a submission predicts, where known."""
    public = [(f"public/{name}", path) for name, path in task_files(prepared.public)]
    public += [(f"workspace/{name}", path) for name, path in task_files(task.folder / "workspace")]
    private = [
        (f"private/{name}", path) for name, path in task_files(prepared.private) if name != SALT
    ]
    shown = tuple(table for name, path in public for table in read_tables(path, name))
    hidden = [table for name, path in private for table in read_tables(path, name)]
    answers = tuple(_understood(table, shown, label_names) for table in hidden)
    return Folders(tuple(public), tuple(private), shown, answers)


def alignments(answers: Answers, public: Sequence[Table]) -> Iterator[Alignment]:
    """Every way in which a public table's rows are those of `answers`."""
    wanted = {name: row for row, name in enumerate(answers.names)}
    known: dict[int, list[tuple[int, int]]] = {}
    for table in public if answers.key is not None else ():
        for column, cells in table.columns.items():
            found = [(row, wanted[cell]) for row, cell in enumerate(cells) if cell in wanted]
            distinct = len({there for _, there in found})
            # Few of the names, or each of them often: a column of small numbers has those too.
            if distinct >= min(3, len(wanted)) and distinct >= _FOUND * len(found):
                yield Alignment(answers, table, column, tuple(found))
                if distinct >= _FOUND * len(wanted):
                    known.setdefault(table.rows, found)
    for table in public:
        pairs = known.get(table.rows)
        if table.rows == answers.table.rows:
            pairs = pairs or [(row, row) for row in range(table.rows)]
        if pairs:
            yield Alignment(answers, table, None, tuple(pairs))


def hosts(folders: Folders, answers: Answers) -> Iterator[Alignment]:
    """The public tables that hold (nearly) all names of the answers, the smallest first."""
    wanted = len(answers.names)
    found = [
        alignment
        for alignment in alignments(answers, folders.public)
        if alignment.key is not None and len(alignment.pairs) >= _FOUND * wanted
    ]
    yield from sorted(found, key=lambda alignment: alignment.public.rows)


def _understood(table: Table, public: Sequence[Table], label_names: Sequence[str]) -> Answers:
    columns = {name: cells for name, cells in table.columns.items() if name not in label_names}
    unique = [
        name
        for name, cells in columns.items()
        if len(set(cells)) == len(cells) and isinstance(cells[0], str)
    ]
    if len(table.columns) == 1:
        unique = []  # labels alone, in an order that others know
    likely = [name for name in unique if name.lower() in KEYS or name.lower().endswith("id")]
    seen = [name for name in unique if _is_seen(table.columns[name], public)]
    key = next(iter([*likely, *seen]), None)
    # The first column of a table of pairs names them, seen or not.
    if key is None and unique and table.rows > 1 and next(iter(table.columns)) == unique[0]:
        key = unique[0]
    known = tuple(name for name in label_names if name in table.columns)
    labels = known or tuple(name for name in table.columns if name != key)
    return Answers(table, key, labels, bool(known))


def _is_seen(cells: Sequence[Cell], public: Sequence[Table]) -> bool:
    wanted = set(cells)
    return any(
        len(wanted.intersection(column)) >= _FOUND * len(wanted)
        for table in public
        for column in table.columns.values()
    )


def shared_rows(one: Table, other: Table) -> list[tuple[int, int]]:
    """Rows of arrays that both tables hold: pairs (row of one, row of the other).

    Arrays of the same names are compared together: a row is all that is said of one thing. Where no
    name is the same, arrays whose rows are all different are compared by content.
    """
    here, there = _array_columns(one), _array_columns(other)
    named = [name for name in here if name in there]
    if named:
        pairs = [(tuple(named), tuple(named))]
    else:
        distinct = [_all_different(one, here), _all_different(other, there)]
        pairs = [((name,), (another,)) for name in distinct[0] for another in distinct[1]]
    for names, others in pairs:
        known: dict[tuple[Cell, ...], int] = {}
        for row in range(other.rows):
            known.setdefault(tuple(other.columns[name][row] for name in others), row)
        keys = (tuple(one.columns[name][row] for name in names) for row in range(one.rows))
        found = [(row, known[key]) for row, key in enumerate(keys) if key in known]
        if found:
            return found
    return []


def _array_columns(table: Table) -> list[str]:
    return [name for name, cells in table.columns.items() if isinstance(cells[0], bytes)]


def _all_different(table: Table, names: Sequence[str]) -> list[str]:
    return [name for name in names if len(set(table.columns[name])) >= 0.99 * table.rows]


def is_blank(cell: Cell) -> bool:
    """Whether a public cell holds nothing that could be an answer."""
    return cell in ("", canonical("nan"), "None", "null", "NA")
