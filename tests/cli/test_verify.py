"""`mlgym replay --verify`: whether a recorded score comes out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgym.config import RunConfig
from mlgym.runs.single import check, make_env, run_episode

Mlgym = Callable[..., Any]


@pytest.fixture
def play(number_task: Path, tmp_path: Path) -> Callable[..., Path]:
    def run(*actions: str, **fields: Any) -> Path:
        script = tmp_path / "script.jsonl"
        script.write_text("".join(json.dumps(f"```\n{action}\n```") + "\n" for action in actions))
        config = RunConfig.make(
            task=str(number_task),
            agent="react",
            model=f"scripted:{script}",
            sandbox="bubblewrap",
            out=tmp_path / "runs",
            **fields,
        )
        found = check(config)
        return run_episode(config, found, make_env(config, found))[0].path

    return run


def test_a_score_comes_out_again_whatever_observations_do(
    mlgym: Mlgym, play: Callable[..., Path]
) -> None:
    run = play("echo $RANDOM$RANDOM; echo 7 > answer.txt", "submit")
    assert mlgym("replay", run).code == 1
    ran = mlgym("replay", run, "--verify", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["score"] == {
        "recorded": {"value": 6.0},
        "found": {"value": 6.0},
        "differing": [],
        "holds": True,
    }


def test_a_score_that_was_changed_is_found_out(mlgym: Mlgym, play: Callable[..., Path]) -> None:
    run = play("echo 7 > answer.txt", "submit") / "run.json"
    record = json.loads(run.read_text())
    for value, code in ((6.005, 0), (6.1, 1)):
        record["score"]["metrics"]["value"] = value
        run.write_text(json.dumps(record))
        assert mlgym("replay", run.parent, "--verify").code == code
    run.write_text(json.dumps({**record, "score": None}))
    ran = mlgym("replay", run.parent, "--verify")
    assert ran.code == 1
    assert "the score differs: value" in ran.out


def test_a_run_that_was_ended_from_outside_is_ended_so_again(
    mlgym: Mlgym, play: Callable[..., Path]
) -> None:
    run = play("echo 7 > answer.txt", "validate", "echo 3 > answer.txt", max_steps=3)
    assert json.loads((run / "run.json").read_text())["exit_reason"] == "max_steps"
    ran = mlgym("replay", run, "--verify")
    assert ran.code == 0
    assert "the score came out again" in ran.out


def test_a_void_run_has_nothing_to_verify(mlgym: Mlgym, play: Callable[..., Path]) -> None:
    ran = mlgym("replay", play("echo 7 > answer.txt"), "--verify")
    assert ran.code == 2
    assert "infrastructure_failure" in ran.err
