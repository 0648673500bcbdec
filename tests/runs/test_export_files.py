"""Which runs are exported; steps as a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_folders import BRIEF, acted, lay_run, score

from mlgym.cli.main import main
from mlgym.runs.steps import returns_to_go
from mlgym.types import Usage


def export(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["export", *map(str, arguments)])
    return int(stopped.value.code or 0)


def test_runs_are_chosen_by_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, normalized in (("a", 0.2), ("b", 0.9), ("c", 0.5)):
        lay_run(tmp_path / "runs" / name, [BRIEF, acted(1, "ls")], score=score(normalized))
    lay_run(tmp_path / "runs" / "d", [BRIEF, acted(1, "ls")], status="unscored", score=None)
    lay_run(tmp_path / "runs" / "e", status="infrastructure_failure", score=None)
    out = tmp_path / "out.jsonl"

    def chosen(*flags: object) -> list[str]:
        assert export(tmp_path / "runs", "--format", "sft", "--out", out, *flags) == 0
        return [json.loads(line)["run_id"] for line in out.read_text().splitlines()]

    assert chosen() == ["a", "b", "c"]
    assert chosen("--min-score", 0.5) == ["b", "c"]
    assert chosen("--best", 1) == ["b"]
    assert chosen("--unscored") == ["a", "b", "c", "d"]
    assert export(tmp_path / "runs", "--format", "sft", "--out", out, "--min-score", 1) == 2
    assert "no run is left" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 4


def test_the_steps_load_in_pandas_with_returns_to_go(tmp_path: Path) -> None:
    import pandas

    steps = [
        BRIEF,
        acted(1, "validate", "ok", reward=0.25, metrics={"value": 2.5}),
        acted(2, "echo \ud800", "\ud800", exit_code=0, usage=Usage(1, 10, 0, 2, None)),
        acted(3, "submit", "done", reward=0.25, terminated=True),
    ]
    lay_run(tmp_path / "runs" / "a", steps)
    out = tmp_path / "steps.parquet"
    assert export(tmp_path / "runs", "--format", "steps", "--out", out) == 0
    table = pandas.read_parquet(out)
    assert list(table["return_to_go"]) == [0.5, 0.5, 0.25, 0.25]
    assert list(table["action"])[1:] == ["validate", "echo ?", "submit"]
    assert table["action"][0] is None or pandas.isna(table["action"][0])
    assert json.loads(table["metrics"][1]) == {"value": 2.5}
    assert table["input_tokens"][2] == 10
    assert set(table["run_id"]) == {"a"}


def test_steps_of_branches_that_were_left_have_no_return_to_go() -> None:
    steps = [
        BRIEF,
        acted(1, "a", reward=0.1),
        acted(2, "b", reward=0.5),
        acted(3, "c", reward=0.2, parent=1),
    ]
    assert returns_to_go(steps) == [pytest.approx(0.3), pytest.approx(0.3), None, 0.2]


def test_without_pyarrow_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_run(tmp_path / "runs" / "a")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    out = tmp_path / "steps.parquet"
    assert export(tmp_path / "runs", "--format", "steps", "--out", out) == 2
    assert "pip install 'mlgym[export]'" in capsys.readouterr().err
    assert not out.exists()
