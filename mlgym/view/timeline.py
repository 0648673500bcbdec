"""The trajectory of a run as a timeline, kept between calls: a file that grew is read from there.

Only summaries are kept, as JSON, and where each line ends; a whole step is read from the file when
it is asked for.
"""

from __future__ import annotations

import json
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mlgym.runs.folders import open_plain
from mlgym.runs.store import TRAJECTORY
from mlgym.view.lines import Spent, Step, read_line, summary

_LONGEST_LINE = 64 << 20
_TAIL = 64
_MOST_KEPT = 16


@dataclass(slots=True)
class Lines:
    """What was read of one file: `ends[i]` is the byte behind line i, `texts[i]` its summary."""

    texts: list[str] = field(default_factory=list[str])
    ends: list[int] = field(default_factory=list[int])
    spent: Spent = field(default_factory=Spent)
    tail: bytes = b""

    @property
    def end(self) -> int:
        return self.ends[-1] if self.ends else 0

    @property
    def so_far(self) -> tuple[int, int]:
        """How many lines there are, and where the last one ends: as of one moment."""
        count = len(self.ends)
        return count, self.ends[count - 1] if count else 0

    def after(self, end: int) -> int:
        """The index of the first line that lies behind a byte."""
        return bisect_right(self.ends, end)


class Timeline:
    """One run's trajectory. Safe to use from several threads."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{TRAJECTORY}"
        self._lines = Lines()
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    def read(self) -> Lines:
        """The whole lines that there are now: the same object for as long as the file only grows.

        A file that is missing or cannot be read has none.
        """
        with self._lock:
            try:
                with open_plain(self._path) as file:
                    state = os.fstat(file.fileno())
                    seen = state.st_mtime_ns, state.st_size, state.st_ino
                    if seen != self._seen:
                        self._go_on(file)
                        self._seen = seen
            except OSError:
                self._lines, self._seen = Lines(), None
            return self._lines

    def _go_on(self, file: BinaryIO) -> None:
        lines = self._lines
        file.seek(max(0, lines.end - _TAIL))
        if file.read(len(lines.tail)) != lines.tail:  # it was written anew
            lines = self._lines = Lines()
        file.seek(lines.end)
        line = None
        for line, end in _whole_lines(file, lines.end):
            step = read_line(line, len(lines.ends))
            lines.spent.add(step["usage"])
            lines.texts.append(json.dumps(summary(step, lines.spent)))
            lines.ends.append(end)
        begin = max(0, lines.end - _TAIL)
        file.seek(begin)
        lines.tail = file.read(lines.end - begin)

    def steps(self, first: int, last: int) -> list[Step]:
        """The steps in lines `first` to `last` (not included), whole."""
        lines = self.read()
        steps: list[Step] = []
        try:
            with open_plain(self._path) as file:
                for index in range(max(0, first), min(last, len(lines.ends))):
                    begin, end = lines.ends[index - 1] if index else 0, lines.ends[index]
                    file.seek(begin)
                    long = end - begin > _LONGEST_LINE
                    steps.append(read_line(None if long else file.read(end - begin), index))
        except OSError:
            return []
        return steps


def _whole_lines(file: BinaryIO, end: int) -> Iterator[tuple[bytes | None, int]]:
    """Whole lines, and where each ends; None for one that is too long to be held."""
    while line := file.readline(_LONGEST_LINE):
        end += len(line)
        found: bytes | None = line
        while not line.endswith(b"\n"):
            found = None
            if not (line := file.readline(_LONGEST_LINE)):
                return
            end += len(line)
        yield found, end


class Timelines:
    """The timelines that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Timeline] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, folder: str) -> Timeline:
        with self._lock:
            timeline = self._kept.pop(folder, None) or Timeline(folder)
            self._kept[folder] = timeline
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return timeline


def joined(texts: Sequence[str]) -> str:
    """A JSON array of values that are JSON already."""
    return f"[{','.join(texts)}]"
