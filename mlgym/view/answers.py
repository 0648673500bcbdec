"""What the viewer tells of runs, as JSON texts. Reads files, so it is called in threads."""

from __future__ import annotations

import json
import math
import os
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError
from mlgym.runs.folders import LARGEST_RECORD, open_plain, read_plain
from mlgym.runs.store import IMAGES, LOG, RECORD
from mlgym.trajectory import IMAGE
from mlgym.view.diffs import BEFORE, diffs_of
from mlgym.view.goals import Goals
from mlgym.view.lines import Step, cut
from mlgym.view.rows import COLUMNS, Kept, Table
from mlgym.view.suites import suites
from mlgym.view.timeline import Timelines, joined

MOST_STEPS = 200
_LARGEST_IMAGE = 32 << 20
_LOG_LINES, _LOG_BYTES = 200, 256 << 10
_KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)


class Answers:
    """The runs below one folder, and what was read of them so far."""

    def __init__(self, root: Path) -> None:
        self.table = Table(root)
        self.timelines = Timelines()
        self._goals = Goals()

    def run(self, wanted: str) -> Kept:
        """The run of that id. Raises ConfigError where there is none."""
        kept = self.table.find(wanted)
        if kept is None:
            raise ConfigError(f"There is no run {wanted!r:.200} here.")
        return kept

    def runs(self) -> str:
        """All rows, column by column named once."""
        found = self.table.changes(0)
        head = {"root": str(self.table.root), "version": found.version, "columns": COLUMNS}
        return f'{json.dumps(head)[:-1]}, "rows": {joined(found.texts)}}}'

    def suites(self) -> list[dict[str, Any]]:
        """The suites in the folder, and what they plan."""
        runs = [kept.folder for kept in self.table.read().values()]
        return suites(self.table.root, runs)

    def overview(self, wanted: str) -> str:
        """A run's record and row, its steps in short, and what lies beside them."""
        kept = self.run(wanted)
        lines = self.timelines.of(kept.folder).read()
        count, end = lines.so_far
        record, row = record_of(kept), row_of(kept)
        head = json.dumps(
            {
                "id": kept.id,
                "record": record,
                "row": row,
                "images": images_of(kept.folder),
                "log": last_lines(kept.folder),
                "goal": self._goals.of(kept.row.task, record or {}),
                "end": end,
            },
            allow_nan=False,
        )
        return f'{head[:-1]}, "steps": {joined(lines.texts[:count])}}}'

    def steps(self, wanted: str, first: int, last: int) -> list[Step]:
        """Whole steps, with the diffs of edits."""
        first = max(0, first)
        before = max(0, first - BEFORE)
        found = self.timelines.of(self.run(wanted).folder).steps(before, last)
        diffs = diffs_of(found, before)
        fresh = [cut(step) | {"diff": diff} for step, diff in zip(found, diffs, strict=True)]
        return fresh[first - before :]

    def image(self, wanted: str, name: str) -> tuple[bytes, str]:
        """An image of a run, and its media type. Raises ConfigError where there is none."""
        kept = self.run(wanted)
        if name not in images_of(kept.folder):
            raise ConfigError(f"There is no image {name!r:.200} in this run.")
        try:
            data = read_plain(f"{kept.folder}/{name}", _LARGEST_IMAGE)
        except OSError as error:
            raise ConfigError(f"{name}: {error.strerror or error}") from error
        for mark, kind in _KINDS:
            if mark.match(data):
                return data, kind
        raise ConfigError(f"{name}: is no PNG, JPEG, GIF or WebP.")


def row_of(kept: Kept) -> dict[str, Any]:
    return dict(zip(COLUMNS, json.loads(kept.text), strict=True))


def record_of(kept: Kept) -> Mapping[str, Any] | None:
    """The content of `run.json` with null for what is no finite number; None for a broken one."""
    try:
        found = json.loads(
            read_plain(f"{kept.folder}/{RECORD}", LARGEST_RECORD),
            parse_constant=lambda _: None,
            parse_float=_finite,
        )
        # What is nested too deeply could be read, and not be written within an answer.
        json.dumps([[[[[[[[found]]]]]]]])
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def images_of(folder: str) -> list[str]:
    """The names of the images that lie in a run's folder: `images/<sha256>.png` and the like."""
    place = f"{folder}/{IMAGES}"
    try:
        if os.path.islink(place):  # noqa: PTH114
            return []
        with os.scandir(place) as entries:
            found = [
                f"{IMAGES}/{entry.name}"
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            ]
    except OSError:
        return []
    return sorted(name for name in found if IMAGE.fullmatch(name))


def last_lines(folder: str) -> str:
    """The end of a run's log."""
    try:
        with open_plain(f"{folder}/{LOG}") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(deque(text.splitlines(keepends=True), _LOG_LINES))
