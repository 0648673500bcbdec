"""Run folders that nobody played, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgym.runs.store import MODEL, RECORD, TRAJECTORY, RunFolder
from mlgym.trajectory import to_line
from mlgym.types import Transition

BRIEF = Transition(
    step=0,
    parent=None,
    thought="",
    action=None,
    observation="Write a number.",
    reward=0.0,
    terminated=False,
    truncated=False,
    tool="reset",
)
RECORDED: Mapping[str, Any] = {
    "task": "number",
    "task_version": 1,
    "task_sha256": "00",
    "profile": "mini",
    "data_seed": 0,
    "sandbox": "bubblewrap",
    "limits": None,
    "agent": "toolcaller",
    "model": "scripted",
    "seed": 0,
    "status": "scored",
    "exit_reason": "submitted",
    "steps": 1,
    "total_reward": 0.5,
    "best_validation": None,
    "baseline": {"value": 0.0},
    "usage": {
        "calls": 1,
        "input_tokens": 10,
        "cached_tokens": 0,
        "output_tokens": 2,
        "cost_usd": None,
    },
    "started_at": "2026-01-01T00:00:00+00:00",
    "duration_s": 1.5,
    "config": {"task": "number", "out": "runs"},
    "versions": {"mlgym": "0.1.0"},
}


def score(normalized: float) -> dict[str, Any]:
    return {
        "metrics": {"value": 10 * normalized},
        "primary": "value",
        "normalized": normalized,
        "split": "test",
        "source": "submitted",
    }


def acted(step: int, action: str, observation: str = "", **fields: Any) -> Transition:
    made = replace(BRIEF, step=step, parent=step - 1, action=action, observation=observation)
    return replace(made, **{"tool": action.split()[0] if action else "bash", **fields})


def lay_run(
    path: Path,
    transitions: Iterable[Transition] = (BRIEF,),
    talk: Iterable[Mapping[str, Any]] = (),
    **fields: Any,
) -> RunFolder:
    """A run's folder; `fields` replace those of its record."""
    path.mkdir(parents=True)
    record = {"run_id": path.name, **RECORDED, "score": score(0.5), **fields}
    (path / RECORD).write_text(json.dumps(record))
    (path / TRAJECTORY).write_text("".join(map(to_line, transitions)))
    said = "".join(json.dumps(entry) + "\n" for entry in talk)
    if said:
        (path / MODEL).write_text(said)
    return RunFolder(path)
