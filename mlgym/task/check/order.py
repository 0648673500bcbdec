"""Looks whether the names of hidden rows, or their order, tell their part or their label."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from mlgym.task.check.answers import Alignment, Folders, hosts
from mlgym.task.check.chance import Z, agree_beyond_chance, numbers, pattern, purity
from mlgym.task.check.chance import rank_correlation as correlation
from mlgym.task.check.tables import PARTS, Cell

_DIGITS = re.compile(r"\d+")


def hints(folders: Folders) -> Iterator[str]:
    """Everything that row numbers or names tell, with the file that it is seen in."""
    found = [next(hosts(folders, answers), None) for answers in folders.answers]
    known = [host for host in found if host is not None]
    for host in known:
        yield from _labels(host)
    for one, other in itertools.combinations(known, 2):
        rows = {row for row, _ in one.pairs} & {row for row, _ in other.pairs}
        if one.public is other.public and not rows:
            yield from _parts(one, other)
    for host in known:
        for column, cells in host.answers.table.columns.items():
            if column.lower() in ("split", "part", "fold") and set(cells) & set(PARTS):
                told = [(row, cells[there]) for row, there in host.pairs]
                yield from _told(host, told, "the hidden part")


def _parts(one: Alignment, other: Alignment) -> Iterator[str]:
    """The part that a row belongs to is whether `one` or `other` holds its answer."""
    told: list[tuple[int, Cell]] = [(row, one.answers.table.file) for row, _ in one.pairs]
    told += [(row, other.answers.table.file) for row, _ in other.pairs]
    yield from _told(one, told, "the hidden part")


def _labels(host: Alignment) -> Iterator[str]:
    for label in host.answers.labels:
        cells = host.answers.table.columns[label]
        told = [(row, cells[there]) for row, there in host.pairs]
        yield from _told(host, told, f"the hidden {label}")


def _told(host: Alignment, told: Sequence[tuple[int, Cell]], what: str) -> Iterator[str]:
    """What order, numbers in names, and names without their numbers say of `what`."""
    if len(told) < 20 or host.key is None:
        return
    file, names = host.public.file, host.public.columns[host.key]
    by_row = [cell for _, cell in sorted(told, key=lambda pair: pair[0])]
    reason = _order(by_row)
    if reason:
        yield f"{file}: the order of the rows tells {what}: {reason}"
    keys = [str(names[row]) for row, _ in told]
    digits = [_DIGITS.findall(key) for key in keys]
    if all(digits):
        numbered = sorted(zip(digits, told, strict=True), key=lambda pair: int(pair[0][-1]))
        reason = _order([cell for _, (_, cell) in numbered])
        if reason:
            yield f"{file}, column {host.key}: the numbers tell {what}: {reason}"
    cells = [cell for _, cell in told]
    words = [_DIGITS.sub("", key) for key in keys]
    if 1 < len(set(words)) <= len(words) / 4 and _words_tell(words, cells):
        yield f"{file}, column {host.key}: the names without their numbers tell {what}"
    if agree_beyond_chance(keys, cells) is not None:
        yield f"{file}, column {host.key}: the names are {what}"


def _words_tell(words: Sequence[str], cells: Sequence[Cell]) -> bool:
    most = max(Counter(cells).values()) / len(cells)
    slack = Z * math.sqrt(most * (1 - most) / len(cells)) + len(set(words)) / len(cells)
    return purity(words, cells) > most + max(0.05, slack)


def _order(cells: Sequence[Cell]) -> str | None:
    """What a sequence tells by its order: of classes, or of numbers."""
    reason = pattern(cells)
    if reason is not None:
        return reason
    values = numbers(cells)
    if values is None or len(set(cells)) < 3:
        return None
    limit = max(0.1, Z / math.sqrt(len(cells)))
    places = list(range(len(cells)))
    drift = correlation(values, places)
    if abs(drift) > limit:
        return f"the rank correlation with the place is {drift:.2f}"
    along = correlation(values[1:], values[:-1])
    if abs(along) > limit:
        return f"the rank correlation of neighbours is {along:.2f}"
    return None
