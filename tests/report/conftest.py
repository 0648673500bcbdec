"""Run folders and files of scores, laid without an episode."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LayRun = Callable[..., Path]
LayScores = Callable[..., Path]


def score(value: float, place: float | None, split: str = "test") -> dict[str, Any]:
    return {
        "metrics": {"value": value, "other": 1.0},
        "primary": "value",
        "normalized": place,
        "split": split,
        "source": "submitted",
    }


def line(step: int, **fields: Any) -> str:
    made = {
        "step": step,
        "parent": step - 1 if step else None,
        "thought": "",
        "action": "ls" if step else None,
        "observation": "",
        "reward": 0.0,
        "terminated": False,
        "truncated": False,
        "tool": "bash" if step else "reset",
        "time": 100.0 + step,
    }
    return json.dumps(made | fields) + "\n"


@pytest.fixture
def lay_run(tmp_path: Path) -> LayRun:
    """Lays a run of the task `number`, whose baseline is 0 and whose target is 10.

    `value` is its test score, None for a run without; `validation` its best validation.
    """
    laid = 0

    def lay(
        value: float | None = 5.0,
        *,
        validation: float | None = None,
        validated: dict[int, float] | None = None,
        root: str = "runs",
        **fields: Any,
    ) -> Path:
        nonlocal laid
        laid += 1
        folder = tmp_path / root / f"2026-{laid:05}"
        folder.mkdir(parents=True)
        record = {
            "run_id": folder.name,
            "task": "number",
            "task_version": 1,
            "task_sha256": "aa",
            "profile": "mini",
            "data_seed": 0,
            "agent": "toolcaller",
            "model": "one",
            "seed": laid,
            "status": "unscored" if value is None else "scored",
            "exit_reason": "submitted",
            "steps": 4,
            "total_reward": 0.0,
            "score": None if value is None else score(value, value / 10),
            "best_validation": (
                None if validation is None else score(validation, validation / 10, "validation")
            ),
            "baseline": {"value": 0.0},
            "usage": {"calls": 2, "input_tokens": 10, "output_tokens": 5, "cost_usd": 0.5},
            "started_at": "2026-11-26T02:00:00+00:00",
            "duration_s": 2.0,
            "config": {"max_steps": None},
        }
        (folder / "run.json").write_text(json.dumps(record | fields))
        gains = validated or {}
        steps = "".join(
            line(step, tool="validate", action="validate", reward=gains[step])
            if step in gains
            else line(step)
            for step in range((record | fields)["steps"] + 1)
        )
        (folder / "trajectory.jsonl").write_text(steps)
        return folder

    return lay


@pytest.fixture
def lay_scores(tmp_path: Path) -> LayScores:
    """Writes a file of scores of (task, model, goal, baseline, best, last), seeds counted up."""

    def lay(*rows: tuple[Any, ...]) -> Path:
        names = ("task", "model", "goal", "baseline", "best", "last")
        path = tmp_path / "scores.jsonl"
        lines = (dict(zip(names, row, strict=True)) for row in rows)
        path.write_text(
            "".join(json.dumps(each | {"seed": i}) + "\n" for i, each in enumerate(lines))
        )
        return path

    return lay
