"""Run folders worth looking at: for the viewer's tests, its benchmark and the docs' screenshots.

Nobody played them. What they hold is what agents, tools and models leave, the worst of it too.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from run_folders import BRIEF, RECORDED, acted, lay_run, score
from showcase import START, TASK, lay_showcase

from mlgym.runs.store import RECORD, RunFolder
from mlgym.trajectory import to_line
from mlgym.types import Transition

FORECAST = "forecast"
SHOWCASE = "20260225-061320-house_price-toolcaller-a1b2c3"
OTHER = "20260225-071320-house_price-toolcaller-d4e5f6"


def lay_all(root: Path) -> None:
    """A suite, two runs of one task that part, and a run of 5,000 steps."""
    lay_suite(root)
    lay_showcase(root / SHOWCASE, started_at="2026-02-25T06:13:20+00:00")
    lay_showcase(
        root / OTHER, last=9, seed=1, model="model-small", started_at="2026-02-25T07:13:20+00:00"
    )
    lay_long(root / "long")


def lay_suite(root: Path) -> None:
    """Three tasks, four players, four seeds each; some failed, one was cut off, one is broken."""
    draw = random.Random(7)
    tasks = {"house_price": 0.62, "battle_of_sexes": 0.85, FORECAST: 0.35}
    players = {("toolcaller", "model-large"): 0.2, ("toolcaller", "model-small"): -0.15,
               ("react", "model-small"): -0.25, ("oracle", None): 0.35}  # fmt: skip
    for task, level in tasks.items():
        for (agent, model), skill in players.items():
            for seed in range(4):
                name = f"{task}-{agent}-{model or 'none'}-{seed}"
                _lay_cell(root / name, draw, task, agent, model, seed, level + skill)
    (root / "broken-run").mkdir()
    (root / "broken-run" / RECORD).write_text('{"run_id": ')


def _lay_cell(
    path: Path,
    draw: random.Random,
    task: str,
    agent: str,
    model: str | None,
    seed: int,
    level: float,
) -> None:
    reached = round(level + draw.gauss(0, 0.09), 4)
    primary = {"house_price": "r2", "battle_of_sexes": "payoff"}.get(task, "loss")
    value = 3 - reached if primary == "loss" else 0.5 + reached / 3
    began = START + 3600 * seed + draw.randrange(3000)
    steps = draw.randrange(6, 40)
    fields: dict[str, Any] = {
        "task": task, "agent": agent, "model": model, "seed": seed, "steps": steps,
        "score": {**score(reached), "primary": primary, "metrics": {primary: round(value, 4)}},
        "baseline": {primary: 3.0 if primary == "loss" else 0.5},
        "total_reward": reached, "duration_s": round(steps * draw.uniform(4, 30), 1),
        "started_at": _iso(began),
        "usage": {**RECORDED["usage"], "cost_usd": round(steps * 0.004, 4) if model else 0.0},
        "exit_reason": draw.choice(["submitted"] * 4 + ["max_steps"]),
    }  # fmt: skip
    if (task, model, seed) == (FORECAST, "model-small", 3):
        fields |= {
            "status": "infrastructure_failure",
            "exit_reason": "sandbox_error",
            "score": None,
        }
    if (task, model, seed) == (FORECAST, "model-large", 2):
        fields |= {"status": "unscored", "score": None, "exit_reason": "format_errors"}
    if (task, agent, seed) == ("house_price", "react", 3):
        fields |= {"status": "unscored", "score": None, "exit_reason": None}
    lay_run(
        path,
        [BRIEF, *(acted(n, "ls", "train.py\n", tool="bash", exit_code=0) for n in range(1, 4))],
        **fields,
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def long_steps(count: int) -> Iterator[Transition]:
    """So many steps; every 50th is measured, every 7th fails, every 400th goes back a little."""
    draw = random.Random(1)
    yield replace(BRIEF, observation=TASK)
    for number in range(1, count + 1):
        lines = "".join(
            f"epoch {n}: loss {draw.random():.4f}\n" for n in range(draw.randrange(1, 12))
        )
        fields: dict[str, Any] = {"exit_code": int(not number % 7)}
        action, tool = f"python train.py --epochs {number}", "bash"
        if not number % 50:
            value = 1 - math.exp(-number / 900) + draw.gauss(0, 0.02)
            action, tool = "validate", "validate"
            fields = {"metrics": {"value": value}, "reward": 0.01}
        step = acted(number, action, lines, thought=f"Attempt {number}.", duration_s=0.5, tool=tool,
                     **fields)  # fmt: skip
        yield replace(step, parent=number - 30) if not number % 400 else step


def lay_long(path: Path, count: int = 5000) -> RunFolder:
    return lay_run(path, long_steps(count), steps=count, model="model-large")


def lay_many(root: Path, count: int) -> None:
    """So many cheap runs."""
    draw = random.Random(2)
    for number in range(count):
        path = root / f"run-{number:05}"
        path.mkdir(parents=True)
        reached = draw.random()
        record = {"run_id": path.name, **RECORDED, "task": f"task-{number % 13}",
                  "seed": number % 8,
                  "model": f"model-{number % 5}", "score": score(reached), "total_reward": reached,
                  "started_at": _iso(START + 60 * number)}  # fmt: skip
        (path / RECORD).write_text(json.dumps(record))


def grow(run: RunFolder, steps: Sequence[Transition]) -> None:
    """Append steps to a run's trajectory, as its writer does."""
    with (run.path / "trajectory.jsonl").open("a") as file:
        file.writelines(map(to_line, steps))
