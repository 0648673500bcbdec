"""The rows of the viewer's table of runs, kept between calls: only what changed is read again.

A run's `id` is its path relative to the viewed folder, `"."` where that folder is itself a run.
Whoever asks for a run names an id of this table: no path is ever built from what a request says.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

from mlgym.runs.folders import run_folders
from mlgym.runs.listing import ENDED, Row, is_running, read_row
from mlgym.runs.store import RECORD, TRAJECTORY

COLUMNS = (
    *("id", "run_id", "status", "task", "profile", "data_seed", "agent", "model", "seed"),
    *("exit_reason", "steps", "primary", "value", "score", "total_reward", "cost_usd"),
    *("started_at", "duration_s", "problem"),
)
_CELLS = attrgetter(*COLUMNS[1:])
_ENCODED = json.JSONEncoder(allow_nan=False).encode
Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, bytes, inode: what changes with a file's content."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as it was when its files had these stamps. `text` is its row as a JSON array.

    `version` is the table's since which it has been so.
    """

    id: str
    folder: str
    row: Row
    text: str
    state: tuple[Stamp | None, Stamp | None, bool]
    version: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows that changed or came since a version of the table, as JSON, and the ids that went.

    `version` is the one that the table has with them.
    """

    version: int
    texts: list[str]
    gone: list[str]


def stamp(path: str) -> Stamp | None:
    """The stamp of a file; None where there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Table:
    """The runs in a folder, by id. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._kept: dict[str, Kept] = {}  # by folder
        self._by_id: dict[str, Kept] = {}
        self._gone: dict[str, int] = {}  # id: the version since which it is no longer there
        self._version = 0
        self._lock = threading.Lock()

    def read(self) -> dict[str, Kept]:
        """The runs by id, sorted as `mlgym runs list` does. Reads what changed since the last call.

        Raises:
            ConfigError: the folder is gone, or cannot be read.
        """
        with self._lock:
            return self._read()

    def changes(self, since: int) -> Changes:
        """What is not as it was in that version; 0 is the empty table. Raises as `read`."""
        with self._lock:
            found = self._read()
            texts = [kept.text for kept in found.values() if kept.version > since]
            gone = [name for name, version in self._gone.items() if version > since]
            return Changes(self._version, texts, gone)

    def _read(self) -> dict[str, Kept]:
        before = self._kept
        fresh = (
            _again(before.get(folder)) or self._look(folder)
            for folder in run_folders(self.root, known=before)
        )
        kept = sorted((each for each in fresh if each), key=lambda each: each.row.run_id)
        self._kept = {each.folder: each for each in kept}
        went = self._by_id.keys() - (by_id := {each.id: each for each in kept}).keys()
        if went or any(each.version > self._version for each in kept):
            self._version += 1
            self._gone |= dict.fromkeys(went, self._version)
            self._gone = {name: at for name, at in self._gone.items() if name not in by_id}
        self._by_id = by_id
        return by_id

    def find(self, wanted: str) -> Kept | None:
        """The run of that id as it is now; None where there is none."""
        kept = self._by_id.get(wanted) or self.read().get(wanted)
        # A folder on the way to it may have been replaced by a link since.
        if kept is None or os.path.realpath(kept.folder) != kept.folder:
            return None
        with self._lock:
            fresh = _again(kept) or self._look(kept.folder)
            if fresh is not None and fresh is not kept and wanted in self._by_id:
                self._version += 1
                self._kept[kept.folder] = self._by_id[wanted] = fresh
            return fresh

    def _look(self, folder: str) -> Kept | None:
        record = stamp(f"{folder}/{RECORD}")
        row = read_row(folder)
        state = record, None, False
        if row.status not in ENDED:
            state = _state(folder)
            if state[0] is None and state[1] is None:
                return None  # it went
            row = read_row(folder)  # again: as of that state, or later
        name = self._id(folder)
        return Kept(name, folder, row, _ENCODED((name, *_CELLS(row))), state, self._version + 1)

    def _id(self, folder: str) -> str:
        root = str(self.root)
        name = folder[len(root) :].lstrip("/") or "."
        try:
            name.encode()
        except UnicodeEncodeError:
            # No browser can send such a name. No relative path begins with a slash.
            return "/" + quote(os.fsencode(name))
        return name


def _state(folder: str) -> tuple[Stamp | None, Stamp | None, bool]:
    lines = stamp(f"{folder}/{TRAJECTORY}")
    return stamp(f"{folder}/{RECORD}"), lines, is_running(folder)


def _again(kept: Kept | None) -> Kept | None:
    """The run where nothing of it has changed; None where it must be read."""
    if kept is None:
        return None
    if kept.row.status in ENDED:
        # Thousands of these: what has ended has nothing to say but by a new record.
        return kept if stamp(f"{kept.folder}/{RECORD}") == kept.state[0] else None
    return kept if _state(kept.folder) == kept.state else None
