"""What a suite came to, in a few lines or as JSON, read from its folder and its progress."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError
from mlgym.runs.reading import read_run
from mlgym.runs.store import RunFolder
from mlgym.runs.suite.claims import ASIDE, lost_tries
from mlgym.runs.suite.folder import Suite
from mlgym.runs.suite.matrix import Cell, Kind
from mlgym.runs.suite.progress import CellProgress, Progress
from mlgym.runs.suite.supervisor import FAILURES
from mlgym.types import ExitReason, Usage

DONE, UNSCORED, BAD_CALL, INFRASTRUCTURE = 0, 1, 2, 3


def summarise(suite: Suite, progress: Progress) -> dict[str, Any]:
    """Everything that a suite came to, as `mlgym eval --json` prints it."""
    cost = _cost(suite.folder, progress)
    return {
        "folder": str(suite.folder),
        "data": suite.plan.data,
        "counts": {"cells": len(progress.cells), **progress.counts()},
        "cost_usd": cost,
        "failures": failures(suite.folder),
        "lost_sandboxes": list(lost_sandboxes(suite.folder, suite.plan.cells)),
        "begun_anew": sorted(path.name for path in (suite.folder / ASIDE).glob("*")),
        "cells": [_cell(suite.folder, one) for one in progress.cells],
        "groups": groups(progress.cells),
    }


def exit_code(progress: Progress) -> int:
    """0: every cell has a valid score. 1: some have none, or are left. 2: some cannot be played.
    3: the infrastructure failed some."""
    if any(_is_failed(one) for one in progress.cells):
        return INFRASTRUCTURE
    if any(one.now in ("refused", "null") for one in progress.cells):
        return BAD_CALL
    return DONE if all(one.now == "scored" for one in progress.cells) else UNSCORED


def _is_failed(one: CellProgress) -> bool:
    unsound = one.record is not None and one.record["exit_reason"] == ExitReason.TASK_ERROR
    return one.now == "null" and not unsound


def _cell(folder: Path, one: CellProgress) -> dict[str, Any]:
    record: Mapping[str, Any] = one.record or {}
    usage: Mapping[str, Any] = record.get("usage") or {}
    score: Mapping[str, Any] = record.get("score") or {}
    return {
        **one.cell.to_json(),
        "run": str(folder / one.cell.key),
        "state": one.now,
        "exit_reason": record.get("exit_reason"),
        "score": one.score,
        "metrics": score.get("metrics"),
        "steps": record.get("steps"),
        "cost_usd": usage.get("cost_usd"),
        "duration_s": record.get("duration_s"),
        "failed_tries": len(lost_tries(folder, one.cell)) + (record.get("status") == _VOID),
        "reason": one.reason or None,
    }


_VOID = "infrastructure_failure"


def groups(cells: Iterable[CellProgress]) -> list[dict[str, Any]]:
    """Of each (task, agent, model) the scores of its cells, and their mean; null where none is."""
    found: dict[Kind, list[CellProgress]] = {}
    for one in cells:
        found.setdefault(one.cell.kind, []).append(one)
    rows: list[dict[str, Any]] = []
    for (task, agent, model), members in found.items():
        scores = [one.score for one in members if one.score is not None]
        mean = statistics.fmean(scores) if scores else None
        rows.append(
            {
                "task": task,
                "agent": agent,
                "model": model,
                "cells": len(members),
                "scored": len(scores),
                "mean_score": mean,
            }
        )
    return rows


def _cost(folder: Path, progress: Progress) -> float | None:
    """US dollars of all runs and of all tries that were lost; None where any is unknown."""
    total = Usage()
    for one in progress.cells:
        paths = lost_tries(folder, one.cell)
        if (folder / one.cell.key).is_dir():
            paths.append(folder / one.cell.key)
        for path in paths:
            try:
                total += read_run(path).usage
            except ConfigError:
                continue  # begun a moment before the end
    return total.cost_usd


def failures(folder: Path) -> dict[str, int]:
    """How many tries failed, in all calls, by kind."""
    return dict(Counter(entry["kind"] for entry in _entries(folder / FAILURES)))


def _entries(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield {"kind": str(json.loads(line)["kind"])}
        except (ValueError, TypeError, KeyError):
            continue  # torn by a kill


def lost_sandboxes(folder: Path, cells: Iterable[Cell]) -> Iterator[dict[str, Any]]:
    """The sandboxes that were lost while an action ran: who gains by that can be seen."""
    for cell in cells:
        for path in (*lost_tries(folder, cell), folder / cell.key):
            if not path.is_dir():
                continue
            try:
                steps = RunFolder(path).transitions()
            except ConfigError:
                continue
            last = steps[-1] if steps else None
            if last is not None and last.tool == "lost" and last.action is not None:
                yield {
                    "key": cell.key,
                    "run": path.name,
                    "step": last.step,
                    "action": last.action,
                    "reason": last.observation.strip(),
                }
