"""The first look: scripted words, and everything else as in any other run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mlgym = Callable[..., Any]


def test_the_demo_is_a_real_episode_that_scores(mlgym: Mlgym, tmp_path: Path) -> None:
    ran = mlgym("run", "--demo", "--sandbox", "bubblewrap", "--out", tmp_path, "--json")
    assert ran.code == 0
    assert "scripted" in ran.err
    record = json.loads(ran.out)
    assert (record["task"], record["model"]) == ("house_price", "scripted:demo")
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert record["score"]["normalized"] > 0.7
    lines = (tmp_path / record["run_id"] / "trajectory.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in lines]
    # No call of the script is refused; its one slip is a command that fails.
    assert [step["tool"] for step in steps].count("validate") == 3
    assert [step["exit_code"] for step in steps if step["exit_code"]] == [2]
    validated = [step["metrics"]["r2"] for step in steps if step["tool"] == "validate"]
    assert validated[0] < validated[1]


@pytest.mark.parametrize("option", [("--task", "blotto"), ("--agent", "oracle")])
def test_the_demo_brings_its_own_task_and_agent(mlgym: Mlgym, option: tuple[str, str]) -> None:
    ran = mlgym("run", "--demo", *option)
    assert ran.code == 2
    assert "--demo" in ran.err


def test_without_the_demo_a_task_is_needed(mlgym: Mlgym) -> None:
    ran = mlgym("run", "--agent", "oracle")
    assert ran.code == 2
    assert "--task" in ran.err
