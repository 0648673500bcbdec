"""`mlgym.load_runs`: one row a run, for notebooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mlgym

LayRun = Callable[..., Path]


def test_a_row_holds_what_the_record_does(lay_run: LayRun, tmp_path: Path) -> None:
    lay_run(5.0, validation=6.0)
    lay_run(None, status="infrastructure_failure", exit_reason="task_error")
    (lay_run(1.0) / "run.json").write_text("{")
    frame = mlgym.load_runs(tmp_path / "runs")
    assert list(frame["score"][:1]) == [5.0]
    assert frame.loc[0, ["metric", "normalized", "validation", "baseline"]].tolist() == [
        "value",
        0.5,
        6.0,
        0.0,
    ]
    assert frame["score"].isna().tolist() == [False, True]
    assert frame.groupby("status")["steps"].sum().to_dict() == {
        "infrastructure_failure": 4,
        "scored": 4,
    }
    assert len(frame.attrs["unreadable"]) == 1


def test_an_empty_folder_gives_the_columns(tmp_path: Path) -> None:
    frame = mlgym.load_runs(tmp_path)
    assert len(frame) == 0
    assert {"task", "score", "cost_usd", "path"} <= set(frame.columns)


def test_without_pandas_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(mlgym.ConfigError, match="pip install pandas"):
        mlgym.load_runs(tmp_path)
