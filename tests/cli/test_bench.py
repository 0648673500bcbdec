"""`mlgym bench`: JSON, the table, and what goes wrong before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bench import TINY, UNITS

from mlgym.bench import check as checking
from mlgym.bench.check import check, read_bounds
from mlgym.bench.measures import measure
from mlgym.bench.suite import Report

Mlgym = Callable[..., Any]


def test_json_holds_every_measure_and_where_it_was_taken(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlgym.bench.plan.QUICK", TINY)
    ran = mlgym("bench", "--quick", "--sandbox", "bubblewrap", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert (told["sandbox"], told["quick"], told["pinned"]) == ("bubblewrap", True, True)
    assert [measure["name"] for measure in told["measures"]] == list(UNITS)
    assert all(isinstance(measure["value"], float) for measure in told["measures"])
    assert "measuring: a step" in ran.err


def test_the_table_says_of_each_gate_whether_it_holds_and_a_missed_one_is_no_failure(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures = (
        measure("bubblewrap", "step_p50", 0.25, 0.1, detail="a"),
        measure("bubblewrap", "cold_start", 123.4, 10.0, against="cp", detail="b"),
        measure("bubblewrap", "timeout_sleep", 3.0, None, detail="c"),
        measure("bubblewrap", "memory", None, 0.5, unit="MB", detail="d"),
    )
    report = Report("bubblewrap", 1, False, 2, "x86_64, Linux 6", "1.2", measures, ("so and so",))
    monkeypatch.setattr("mlgym.bench.suite.bench", lambda *_: report)
    ran = mlgym("bench", "--sandbox", "bubblewrap")
    assert ran.code == 0
    lines = [line.split("  ") for line in ran.out.splitlines()]
    rows = {line[0]: [cell.strip() for cell in line if cell.strip()] for line in lines}
    assert rows["step_p50"] == ["step_p50", "0.25 ms", "0.1 ms", "2.50 x", "3 x", "ok", "R", "a"]
    assert rows["cold_start"][1:] == ["123 ms", "10 ms", "12.34 x", "4 x", "MISSED", "cp", "b"]
    assert rows["timeout_sleep"][1:] == ["3 ms", "-", "-", "100 ms", "ok", "R", "c"]
    assert rows["memory"][1:] == ["-", "0.5 MB", "-", "R", "d"]
    assert "NOT bound" in ran.out
    assert "note: so and so" in ran.out
    lines = mlgym("bench", "--sandbox", "bubblewrap", "--markdown").out.splitlines()
    assert lines[0].startswith("Measured: bubblewrap, core 1 of 2")
    assert lines[2].count("|") == lines[3].count("|") == lines[4].count("|") == 9
    assert lines[4] == "| `step_p50` | 0.25 ms | 0.1 ms | 2.50 x | 3 x | ok | R | a |"


def test_a_core_that_there_is_not_is_a_mistake_in_the_call(mlgym: Mlgym) -> None:
    ran = mlgym("bench", "--sandbox", "bubblewrap", "--core", "4096")
    assert (ran.code, ran.out) == (2, "")
    assert "--core: found 4096" in ran.err
    ran = mlgym("bench", "--sandbox", "bubblewrap", "--vector", "--core", "1")
    assert (ran.code, ran.out) == (2, "")
    assert "--core: found 1 beside --vector" in ran.err


def test_an_unknown_sandbox_is_named_with_those_there_are(mlgym: Mlgym) -> None:
    ran = mlgym("bench", "--sandbox", "dokker")
    assert ran.code == 2
    assert "'dokker'" in ran.err
    assert "docker" in ran.err


def test_no_docker_daemon_is_the_infrastructure_s_failure(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ran = mlgym("bench", "--sandbox", "docker")
    assert (ran.code, ran.out) == (3, "")
    assert "no Docker daemon answers" in ran.err


def test_the_command_fails_where_a_bound_is_exceeded_and_says_by_how_much(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checking, "TRIES", 1)
    monkeypatch.setattr(
        checking, "check", lambda *_: check("bubblewrap", bounds["bubblewrap"], plan=TINY)
    )
    file = tmp_path / "bounds.yaml"
    file.write_text("bubblewrap: {a step: {step_p50: 1000, step_p99: 0.001}}")
    bounds = read_bounds(file)
    ran = mlgym("bench", "--sandbox", "bubblewrap", "--check", str(file))
    assert ran.code == 1
    rows = {line.split()[0]: line.split() for line in ran.out.splitlines()}
    assert rows["step_p50"][3:] == ["1000", "x", "ok", "1"]
    assert rows["step_p99"][3:] == ["0.001", "x", "MISSED", "1"]
    ran = mlgym("bench", "--check", str(file), "--quick")
    assert (ran.code, ran.out) == (2, "")
    ran = mlgym("bench", "--sandbox", "docker", "--check", str(file))
    assert ran.code == 2
    assert "bounds bubblewrap, expected docker" in ran.err
