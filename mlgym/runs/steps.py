"""Runs as a table of steps with rewards and returns-to-go, for offline reinforcement learning."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError
from mlgym.runs.store import RunFolder
from mlgym.types import Transition

_COLUMNS: Mapping[str, str] = {
    "run_id": "string",
    "task": "string",
    "task_version": "int64",
    "profile": "string",
    "data_seed": "int64",
    "agent": "string",
    "model": "string",
    "seed": "int64",
    "status": "string",
    "score": "float64",
    "step": "int64",
    "parent": "int64",
    "thought": "string",
    "action": "string",
    "observation": "string",
    "reward": "float64",
    "return_to_go": "float64",
    "terminated": "bool_",
    "truncated": "bool_",
    "tool": "string",
    "exit_code": "int64",
    "metrics": "string",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "cost_usd": "float64",
    "duration_s": "float64",
    "time": "float64",
}


def returns_to_go(steps: Sequence[Transition]) -> list[float | None]:
    """For each step the sum of its reward and of those after it on the way to the episode's end.

    None for steps of branches that the episode left.
    """
    places = {step.step: place for place, step in enumerate(steps)}
    returns: list[float | None] = [None] * len(steps)
    place, total = len(steps) - 1, 0.0
    while place >= 0:
        total += steps[place].reward
        returns[place] = total
        parent = steps[place].parent
        # A parent is an earlier step: what says otherwise leads nowhere.
        before = -1 if parent is None else places.get(parent, -1)
        place = before if before < place else -1
    return returns


def write_steps(runs: Iterable[RunFolder], path: Path) -> int:
    """Write a Parquet file with a row for each step; how many those are.

    Raises:
        ConfigError: pyarrow is not installed, or a run cannot be read.
        OSError: the file cannot be written.
    """
    arrow = _arrow("pyarrow")
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in _COLUMNS.items()])
    written = 0
    with _arrow("pyarrow.parquet").ParquetWriter(path, schema, compression="zstd") as writer:
        for run in runs:
            rows = list(_rows(run))
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            written += len(rows)
    return written


def _arrow(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            "--format steps writes Parquet, for which pyarrow is missing:"
            " pip install 'mlgym[export]'"
        ) from error


def _rows(run: RunFolder) -> Iterator[dict[str, Any]]:
    record, steps = run.record(), run.transitions()
    score: Mapping[str, Any] = record.get("score") or {}
    of_run = {name: record.get(name) for name in list(_COLUMNS)[:9]}
    for step, to_go in zip(steps, returns_to_go(steps), strict=True):
        metrics = None if step.metrics is None else json.dumps(dict(step.metrics))
        row = {name: getattr(step, name, None) for name in _COLUMNS}
        row |= {**of_run, "score": score.get("normalized"), "return_to_go": to_go}
        row |= {"metrics": metrics}
        if step.usage is not None:
            row["input_tokens"] = step.usage.input_tokens
            row["output_tokens"] = step.usage.output_tokens
            row["cost_usd"] = step.usage.cost_usd
        yield {key: _encodable(value) for key, value in row.items()}


def _encodable(value: Any) -> Any:
    """Half surrogate pairs have no place in a file's text."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
