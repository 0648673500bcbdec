"""What the viewer tells of runs: rows, one run, its steps, images and log, suites."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_folders import BRIEF, acted, lay_run, score
from viewers import PNG, Viewer, viewing

from mlgym.types import Image, Usage


def test_rows_say_what_runs_list_says(viewer: Viewer, runs: Path) -> None:
    assert viewer.rows() == {}
    lay_run(runs / "a", [BRIEF, acted(1, "ls")])
    lay_run(runs / "suite" / "b\nc ?#&é", status="unscored", exit_reason=None, score=None)
    (lay_run(runs / "d").path / "run.json").write_text("{")
    lay_run(runs / "1" / "2" / "3" / "deep")
    (runs / "link").symlink_to(runs / "a")
    rows = viewer.rows()
    assert {name: row["status"] for name, row in rows.items()} == {
        "a": "scored",
        "suite/b\nc ?#&é": "cut_off",
        "d": "broken",
        "1/2/3/deep": "scored",
    }
    assert (rows["a"]["score"], rows["a"]["value"], rows["a"]["primary"]) == (0.5, 5.0, "value")
    assert rows["a"]["cost_usd"] is None
    assert "run.json" in rows["d"]["problem"]
    for name in rows:
        assert viewer.json("/api/run", id=name)["row"] == rows[name]


def test_rows_change_with_the_folders(viewer: Viewer, runs: Path) -> None:
    run = lay_run(runs / "a", status="unscored", exit_reason=None, score=None)
    lay_run(runs / "b")
    with run.held():
        assert viewer.rows()["a"]["status"] == "running"
    assert viewer.rows()["a"]["status"] == "cut_off"
    run.write_record({**run.record(), "status": "scored", "exit_reason": "submitted"})
    shutil.rmtree(runs / "b")
    assert {name: row["status"] for name, row in viewer.rows().items()} == {"a": "scored"}


def test_a_folder_that_is_a_run_is_shown_as_one(tmp_path: Path) -> None:
    lay_run(tmp_path / "a", [BRIEF, acted(1, "ls", "x")])
    with viewing(tmp_path / "a") as viewer:
        assert viewer.rows()["."]["run_id"] == "a"
        assert viewer.json("/api/steps", id=".", **{"from": 1})["steps"][0]["observation"] == "x"


def test_a_run_is_told_with_its_steps_in_short(viewer: Viewer, runs: Path) -> None:
    known = Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=0.25)
    steps = [
        BRIEF,
        acted(1, "\n\nls -la\nmore", "x" * 30, thought="t" * 400, usage=known, exit_code=0),
        acted(2, "validate", "", metrics={"value": 2.0}, reward=0.2, usage=known),
        acted(3, "y" * 300, parent=1, usage=Usage(calls=1, cost_usd=None)),
        acted(4, "submit", terminated=True, reward=float("inf")),
    ]
    lay_run(runs / "a", steps, baseline={"value": 9.0}).log("hello")
    told = viewer.json("/api/run", id="a")
    assert told["record"]["task"] == "number"
    assert told["goal"] == "minimize"
    assert told["log"].endswith("hello\n")
    assert told["end"] == (runs / "a" / "trajectory.jsonl").stat().st_size
    first, second, third, fourth, last = told["steps"]
    assert first == {
        **{"step": 0, "tool": "reset", "reward": 0.0, "terminated": False, "truncated": False},
        **{"duration_s": 0.0, "time": 0.0, "cost_usd": 0.0, "tokens": 0, "size": 15},
    }
    assert (second["action"], second["size"], second["exit_code"]) == ("ls -la", 30, 0)
    assert second["thought"] == "t" * 160
    assert (third["metrics"], third["cost_usd"], third["tokens"]) == ({"value": 2.0}, 0.5, 24)
    assert (fourth["parent"], len(fourth["action"])) == (1, 160)
    assert "cost_usd" not in fourth
    assert "cost_usd" not in last
    assert "reward" not in last


def test_whole_steps_come_at_most_two_hundred_at_once(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "a", [BRIEF, *(acted(step, f"echo {step}") for step in range(1, 300))])
    ask = {"from": 5, "to": 9999}
    steps = viewer.json("/api/steps", id="a", **ask)["steps"]
    assert [step["step"] for step in steps] == list(range(5, 205))
    assert steps[0]["action"] == "echo 5"
    assert viewer.json("/api/steps", id="a", **{"from": 400})["steps"] == []
    for bad in ("-1", "x", "1" * 30, "²"):
        assert viewer.ask("/api/steps", id="a", **{"from": bad}).status == 400


def test_a_long_observation_is_cut_in_its_middle(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "a", [BRIEF, acted(1, "cat", "a" * 150_000 + "b" * 150_000)])
    (step,) = viewer.json("/api/steps", id="a", **{"from": 1})["steps"]
    assert step["cut"] == 100_000
    assert step["observation"].startswith("a" * 100_000 + "\n[... 100000 characters")
    assert step["observation"].endswith("\n" + "b" * 100_000)


def test_images_are_told_by_what_they_hold(viewer: Viewer, runs: Path) -> None:
    good, bad = Image("image/png", PNG), Image("image/png", b"<svg onload='alert(1)'/>")
    run = lay_run(runs / "a", [BRIEF, acted(1, "view_image x.png", image=good.name)])
    for image in (good, bad):
        run.write_image(image)
    (run.path / "images" / "other.png").write_bytes(PNG)
    told = viewer.json("/api/run", id="a")
    assert told["images"] == sorted([good.name, bad.name])
    assert told["steps"][1]["image"] == good.name
    answer = viewer.ask("/api/image", id="a", name=good.name)
    assert (answer.body, answer.headers["Content-Type"]) == (PNG, "image/png")
    for name in (bad.name, "images/other.png", "run.json", "images/../run.json", ""):
        assert viewer.ask("/api/image", id="a", name=name).status == 404


def test_a_suite_tells_the_cells_that_it_plans(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "deep" / "two" / "a")
    cell = {"task": "number", "agent": "react", "model": "m", "seed": 1, "data_seed": 0}
    content = {"cells": [{**cell, "key": "k"}, 5, {"agent": "x"}, {"task": "b", "seed": True}]}
    for folder in (runs / "deep" / "two", runs / "new"):
        folder.mkdir(exist_ok=True)
        (folder / "suite.json").write_text(json.dumps(content))
    (runs / "suite.json").write_text("[[" * 100_000)
    assert viewer.json("/api/suites") == {
        "suites": [
            {"path": "deep/two", "cells": [cell, {"task": "b"}]},
            {"path": "new", "cells": [cell, {"task": "b"}]},
        ]
    }


@pytest.mark.parametrize(
    ("fields", "goal"),
    [
        ({"score": score(0.5)}, "maximize"),
        ({"score": score(-0.5) | {"metrics": {"value": 5.0}}}, "minimize"),
        ({"score": None, "task": "battle_of_sexes"}, "maximize"),
        ({"score": None, "task": "../../etc"}, None),
        ({"score": {"primary": [], "metrics": 5}, "task": "number"}, None),
    ],
)
def test_the_goal_is_told_where_it_is_known(
    viewer: Viewer, runs: Path, fields: dict[str, Any], goal: str | None
) -> None:
    lay_run(runs / "a", **fields)
    assert viewer.json("/api/run", id="a")["goal"] == goal
