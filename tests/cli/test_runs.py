"""`mlgym runs`: every folder is told of as what it is, and only run folders are removed."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import BRIEF, acted, lay_run, score

from mlgym.runs.listing import list_runs

Mlgym = Callable[..., Any]


@pytest.fixture
def some(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    lay_run(root / "a", [BRIEF, acted(1, "ls", "x"), acted(2, "submit", "done")])
    lay_run(root / "b", [BRIEF, acted(1, "ls", "y")], seed=1, score=score(0.75), agent="react")
    lay_run(root / "suite" / "c", status="infrastructure_failure", score=None, model=None)
    lay_run(
        root / "d",
        [BRIEF, acted(1, "ls")],
        steps=0,
        status="unscored",
        exit_reason=None,
        score=None,
    )
    lay_run(root / "e", score={"primary": 3, "normalized": "1"})
    (lay_run(root / "f").path / "run.json").write_text('{"status": ')
    (lay_run(root / "g").path / "run.json").unlink()
    lay_run(root / "h", status="splendid")
    (root / "nothing" / "of ours").mkdir(parents=True)
    (root / "link").symlink_to(root / "a")
    return root


def listed(mlgym: Mlgym, *arguments: object) -> dict[str, Any]:
    rows = json.loads(mlgym("runs", "list", *arguments, "--json").out)
    return {row["run_id"]: row for row in rows}


def test_every_run_is_listed_whatever_state_it_is_in(mlgym: Mlgym, some: Path) -> None:
    rows = listed(mlgym, some)
    assert {name: row["status"] for name, row in rows.items()} == {
        "a": "scored",
        "b": "scored",
        "c": "infrastructure_failure",
        "d": "cut_off",
        "e": "scored",
        "f": "broken",
        "g": "broken",
        "h": "broken",
    }
    assert (rows["a"]["primary"], rows["a"]["value"], rows["a"]["score"]) == ("value", 5.0, 0.5)
    assert rows["e"]["score"] is None
    assert rows["d"]["steps"] == 1
    assert "splendid" in rows["h"]["problem"]
    ran = mlgym("runs", "list", "--out", some)
    assert "0.7500" in ran.out
    assert "holds no run.json" in ran.err


def test_a_run_that_is_held_by_a_process_is_running(mlgym: Mlgym, tmp_path: Path) -> None:
    run = lay_run(tmp_path / "a", status="unscored", exit_reason=None, score=None)
    with run.held():
        assert listed(mlgym, tmp_path)["a"]["status"] == "running"
        assert "is running" in mlgym("runs", "rm", run.path, "--yes").err
    assert listed(mlgym, tmp_path)["a"]["status"] == "cut_off"


def test_runs_are_chosen_by_task_agent_model_and_status(mlgym: Mlgym, some: Path) -> None:
    assert set(listed(mlgym, some, "--agent", "react")) == {"b"}
    assert set(listed(mlgym, some, "--task", "number", "--status", "cut_off")) == {"d"}
    assert set(listed(mlgym, some, "--model", "scripted", "--status", "scored")) == {"a", "b", "e"}
    assert "cut_off" in mlgym("runs", "list", some, "--status", "fine").err
    assert mlgym("runs", "list", some / "nowhere").code == 2


def test_one_run_is_shown_with_its_steps_and_files(mlgym: Mlgym, some: Path) -> None:
    shown = mlgym("runs", "show", "a", "--out", some).out
    assert "[1] ls" in shown
    assert "trajectory.jsonl" in shown
    told = json.loads(mlgym("runs", "show", some / "d", "--json").out)
    assert told["state"] == "cut_off"
    assert set(told["files"]) == {"run.json", "trajectory.jsonl"}


def test_two_runs_are_compared_to_the_step_at_which_they_part(mlgym: Mlgym, some: Path) -> None:
    found = json.loads(mlgym("runs", "diff", "a", "b", "--out", some, "--json").out)
    assert found["config"] == {"agent": ["toolcaller", "react"], "seed": [0, 1]}
    assert found["result"]["score.normalized"] == [0.5, 0.75]
    assert found["observation"] == {
        "step": 1,
        "field": "observation",
        "first": "x",
        "second": "y",
    }
    assert found["action"] == {"step": 2, "field": "action", "first": "submit", "second": None}
    same = mlgym("runs", "diff", some / "a", some / "a").out
    assert same.splitlines() == [
        "configuration: the same",
        "result: the same",
        "actions: the same",
        "observations: the same",
    ]


def test_runs_are_removed_when_asked_for_by_name(mlgym: Mlgym, some: Path) -> None:
    ran = mlgym("runs", "rm", "a", some / "g", "--out", some, "--yes", "--json")
    assert ran.code == 0
    assert not (some / "a").exists()
    assert not (some / "g").exists()


def test_nothing_is_removed_without_a_yes(
    mlgym: Mlgym, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert mlgym("runs", "rm", some / "a").code == 1
    assert (some / "a").exists()


def test_what_is_no_run_folder_is_never_removed(mlgym: Mlgym, some: Path) -> None:
    (some / "b" / "thesis.tex").write_text("years of work")
    for place in (some, some / "nothing", some / "link", some / "b"):
        assert mlgym("runs", "rm", place, "--yes").code == 2
        assert place.exists()
    assert "thesis.tex" in mlgym("runs", "rm", some / "b", "--yes").err


def test_hundreds_of_runs_are_listed_at_once(tmp_path: Path) -> None:
    first = lay_run(tmp_path / "0").path
    for number in range(1, 300):
        shutil.copytree(first, tmp_path / str(number))
    began = time.process_time()
    assert len(list_runs(tmp_path)) == 300
    assert time.process_time() - began < 0.5
