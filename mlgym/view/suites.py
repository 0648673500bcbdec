"""What the suites in the viewed folder plan, so that cells without a run can be shown too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from mlgym.runs.folders import read_plain
from mlgym.runs.suite import SUITE

_LARGEST = 32 << 20
_WORDS = ("task", "agent", "model")
_WHOLE = ("seed", "data_seed")


def suites(root: Path, runs: Iterable[str]) -> list[dict[str, Any]]:
    """The suites in `root` as `{"path", "cells": [{"task", "agent", "model", "seed", ...}]}`.

    `runs` are folders of runs below `root`: a suite lies above one, or directly in `root`. A file
    that is no suite's is passed over.
    """
    found: list[dict[str, Any]] = []
    for folder in sorted({str(root), *_inner(root), *_above(root, runs)}):
        try:
            content = json.loads(read_plain(f"{folder}/{SUITE}", _LARGEST))
        except (OSError, ValueError, RecursionError):
            continue
        cells = cast("dict[str, Any]", content).get("cells") if isinstance(content, dict) else None
        if isinstance(cells, list):
            path = os.fsencode(folder[len(str(root)) :].lstrip("/") or ".").decode(
                "utf-8", "replace"
            )
            found.append({"path": path, "cells": list(_cells(cast("list[Any]", cells)))})
    return found


def _inner(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _above(root: Path, runs: Iterable[str]) -> Iterator[str]:
    seen = {str(root)}
    for run in runs:
        folder = run.rpartition("/")[0]
        while folder not in seen and len(folder) > len(str(root)):
            seen.add(folder)
            yield folder
            folder = folder.rpartition("/")[0]


def _cells(cells: list[Any]) -> Iterator[dict[str, Any]]:
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        get = cast("dict[str, Any]", cell).get
        words = {name: value for name in _WORDS if isinstance(value := get(name), str)}
        whole = {name: value for name in _WHOLE if type(value := get(name)) is int}
        if "task" in words:
            yield words | whole
