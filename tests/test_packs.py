"""A task of somebody else's, in a folder outside of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def mlgym(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlgym", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_task_found_through_mlgym_path_runs_end_to_end(
    number_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_PATH", str(number_task.parent.parent))
    listed = mlgym("tasks", "list", "--json", cwd=tmp_path)
    assert "number" in {task["id"] for task in json.loads(listed.stdout)}
    done = mlgym("run", "--task", "number", "--agent", "oracle", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert record["score"]["metrics"] == {"value": 9.0}
    assert record["total_reward"] == pytest.approx(0.9)
    assert json.loads((tmp_path / "runs" / record["run_id"] / "run.json").read_text()) == record


def test_two_tasks_of_one_name_are_refused(
    number_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "tasks" / "number"
    other.mkdir(parents=True)
    (other / "task.yaml").write_text("id: number\n")
    roots = f"{number_task.parent.parent}:{tmp_path / 'other'}"
    monkeypatch.setenv("MLGYM_PATH", roots)
    done = mlgym("tasks", "list", cwd=tmp_path)
    assert done.returncode == 2
    assert "two tasks are called 'number'" in done.stderr
