"""Our own runs: what must not be compared is kept apart, and what failed is never a zero."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import ConfigError
from mlgym.report.build import Report, build
from mlgym.report.entries import Sheet
from mlgym.report.own import own_sheets
from mlgym.runs.reading import read_run, read_runs

LayRun = Callable[..., Path]


def sheets(tmp_path: Path) -> list[Sheet]:
    return own_sheets(read_runs(tmp_path / "runs"))


def report(tmp_path: Path, definition: Any = "strict") -> Report:
    return build(sheets(tmp_path), definition, plots=False)


def records(made: Report, name: str) -> list[dict[str, Any]]:
    (table,) = (each for each in made.tables if each.name == name)
    return [dict(record) for record in table.records]


def aup(made: Report, model: str) -> Any:
    (found,) = (each for each in made.areas.to_json() if each["model"] == model)
    return found


def test_profiles_data_seeds_and_versions_never_meet_and_are_named(
    lay_run: LayRun, tmp_path: Path
) -> None:
    for value in (4.0, 6.0):
        lay_run(value, task_version=2)
    lay_run(9.0, profile="full")
    lay_run(9.0, data_seed=3)
    lay_run(9.0)
    made = report(tmp_path)
    (cell,) = records(made, "best_submission")
    assert (cell["value"], cell["k"]) == (6.0, 2)
    (note,) = (note for note in made.notes if note.startswith("Left apart"))
    for apart in ("full data", "data seed 3", "earlier versions: number v1"):
        assert apart in note
    assert [each.sheet.title for each in made.apart] == [
        "full data, data seed 0",
        "mini data, data seed 0, earlier versions: number v1",
        "mini data, data seed 3",
    ]
    assert any("Only data seed 0 is comparable" in note for note in made.apart[2].notes)


def test_failures_of_the_infrastructure_are_counted_apart_and_never_as_0(
    lay_run: LayRun, tmp_path: Path
) -> None:
    for value in (5.0, 5.0, 5.0):
        lay_run(value)
        lay_run(value, model="two")
    lost = {"status": "infrastructure_failure", "exit_reason": "sandbox_error"}
    lay_run(None, **lost)
    lay_run(None, model="two", task="other", **lost)
    lay_run(3.0, model="one", task="other")
    made = report(tmp_path)
    assert aup(made, "one")["value"] == pytest.approx(0.5)
    assert aup(made, "two")["value"] == pytest.approx(0.5)
    assert any("AUP leaves out other: no run of two on it can be judged" in n for n in made.notes)
    assert any("2 of 9 runs were lost to failures of the infrastructure" in n for n in made.notes)
    lost_cell = next(
        each
        for each in records(made, "best_submission")
        if (each["task"], each["model"]) == ("other", "two")
    )
    assert (lost_cell["value"], lost_cell["k"]) == (None, 0)
    reasons = {each["exit_reason"] for each in records(made, "exit_reasons")}
    assert reasons == {"submitted", "sandbox_error (infrastructure)"}


def test_a_run_without_a_score_is_null_in_means_and_a_whole_gap_in_aup(
    lay_run: LayRun, tmp_path: Path
) -> None:
    lay_run(8.0)
    lay_run(None, exit_reason="forfeited")
    lay_run(None, exit_reason="forfeited", model="two")
    made = report(tmp_path)
    means = {each["model"]: each for each in records(made, "mean_score")}
    assert (means["one"]["value"], means["one"]["scored"], means["one"]["runs"]) == (8.0, 1, 2)
    assert means["two"]["value"] is None
    assert aup(made, "one")["value"] == pytest.approx(0.8)
    assert aup(made, "two")["value"] == 0


def test_a_validation_score_never_enters_aup_or_a_table_of_test_scores(
    lay_run: LayRun, tmp_path: Path
) -> None:
    for _ in range(3):
        lay_run(2.0, validation=9.0)
    made = report(tmp_path)
    assert {each["variant"] for each in made.areas.to_json()} == {"best_submission"}
    assert aup(made, "one")["value"] == pytest.approx(0.2)
    attempts, submissions = (
        next(each for each in made.tables if each.name == name)
        for name in ("best_attempt", "best_submission")
    )
    assert attempts.title == "Best Attempt@3 (validation)"
    assert attempts.records[0]["value"] == 9.0
    assert attempts.rows[0][2] == "–"  # no baseline: it is one on the test split
    assert submissions.title == "Best Submission@3 (test)"
    assert submissions.records[0]["value"] == 2.0


def test_the_goal_is_read_off_the_records(lay_run: LayRun, tmp_path: Path) -> None:
    up = {"metrics": {"loss": 2.0}, "primary": "loss", "split": "test", "source": "submitted"}
    low = [up | {"metrics": {"loss": value}, "normalized": (4 - value) / 2} for value in (3.0, 2.5)]
    for each in low:
        lay_run(None, status="scored", score=each, baseline={"loss": 4.0})
    (sheet,) = sheets(tmp_path)
    (task,) = sheet.tasks
    assert (task.metric, task.goal, task.baseline) == ("loss", "minimize", 4.0)
    assert task.target == pytest.approx(2.0)
    assert records(report(tmp_path), "best_submission")[0]["value"] == 2.5


def test_models_are_named_apart_from_the_baseline_and_by_agent_where_needed(
    lay_run: LayRun, tmp_path: Path
) -> None:
    lay_run(1.0)
    lay_run(1.0, agent="react")
    lay_run(1.0, agent="react", model="two")
    lay_run(1.0, agent="baseline", model=None)
    lay_run(1.0, agent="oracle", model=None)
    (sheet,) = sheets(tmp_path)
    assert sheet.models == ("baseline (agent)", "one (react)", "one (toolcaller)", "oracle", "two")


def test_a_killed_run_is_read_up_to_its_last_whole_line(lay_run: LayRun, tmp_path: Path) -> None:
    folder = lay_run(None, status="unscored", exit_reason=None, steps=3)
    with (folder / "trajectory.jsonl").open("a") as file:
        file.write('{"step": 4, "parent": 3, "tho')
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"steps": 0}))
    found = read_run(folder)
    assert (found.ended, found.steps, found.duration_s) == (False, 3, 3.0)
    lay_run(5.0)
    made = report(tmp_path)
    assert records(made, "best_submission")[0]["k"] == 1
    assert any("1 of 2 runs have not ended" in note for note in made.notes)


def test_broken_folders_are_told_of_and_hide_no_others(lay_run: LayRun, tmp_path: Path) -> None:
    lay_run(5.0)
    (lay_run(5.0) / "run.json").write_text('{"task": "num')
    (lay_run(5.0) / "run.json").write_text("[]")
    (lay_run(5.0) / "run.json").unlink()
    lay_run(5.0, task=None)
    found = read_runs(tmp_path / "runs")
    assert len(found.runs) == 1
    assert len(found.unreadable) == 4
    with pytest.raises(ConfigError, match="found no folder there"):
        read_runs(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no run was found"):
        own_sheets(read_runs(tmp_path / "runs" / "2026-00002"))


def test_too_few_runs_for_a_claim_are_said_to_be_so(lay_run: LayRun, tmp_path: Path) -> None:
    for model, value in (("one", 9.0), ("two", 1.0)):
        for seed in (0, 1):
            lay_run(value, model=model, seed=seed)
    made = report(tmp_path)
    (pair,) = records(made, "differences")
    assert pair["value"] == pytest.approx(0.8)
    assert pair["verdict"] == "too few runs for a claim"
    assert any(note.startswith("Too few runs for a claim") for note in made.notes)
    for model, value in (("one", 9.0), ("two", 1.0)):
        lay_run(value, model=model, seed=2)
    (pair,) = records(report(tmp_path), "differences")
    assert (pair["verdict"], pair["pairs"]) == ("one is ahead", 3)


def test_one_run_a_cell_gives_values_without_an_interval(lay_run: LayRun, tmp_path: Path) -> None:
    lay_run(5.0)
    found = aup(report(tmp_path), "one")
    assert (found["value"], found["low"], found["high"]) == (0.5, None, None)


def test_an_unknown_cost_is_left_out_and_counted(lay_run: LayRun, tmp_path: Path) -> None:
    lay_run(5.0)
    lay_run(5.0, usage={"calls": 1, "input_tokens": 7, "output_tokens": 1, "cost_usd": None})
    (row,) = records(report(tmp_path), "usage")
    assert (row["cost_usd"], row["cost_unknown"], row["steps"]) == (0.5, 1, 4.0)


def test_ten_thousand_runs_are_a_matter_of_seconds(lay_run: LayRun, tmp_path: Path) -> None:
    for place in range(500):
        lay_run(place % 10, model=f"m{place % 5}", seed=place // 5)
    report(tmp_path)  # libraries are loaded once
    began = time.process_time()
    report(tmp_path)
    # Ten thousand may take 10 s, of which libraries and figures take four.
    assert time.process_time() - began < 6 / 20


def test_ties_share_their_rank_and_those_without_a_score_the_last(
    lay_run: LayRun, tmp_path: Path
) -> None:
    for model, value in (("one", 5.0), ("two", 5.0), ("three", None), ("four", -1.0)):
        lay_run(value, model=model)
    ranks = {each["model"]: each["value"] for each in records(report(tmp_path), "ranks")}
    assert ranks == {"one": 1.5, "two": 1.5, "baseline": 3.0, "four": 4.0, "three": 5.0}
