"""`mlgym run` and what follows a run: its record, its view, grading and replaying it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mlgym = Callable[..., Any]
ORACLE = ("run", "--task", "battle_of_sexes", "--agent", "oracle", "--data", "mini")

SLY = """\
from mlgym import Decision


class Sly:
    '''Says on standard output and in its workspace what a terminal or a parser would take.'''

    def __init__(self):
        shown = "printf '\\\\033]0;owned\\\\007[bold red]\\\\033[2J'"
        self.plan = [shown + "; echo '\\x1b[2J'", "forfeit"]

    def reset(self, brief, tools):
        print('{"run_id": "forged"}')

    def act(self, observation):
        print("\\x1b[2J" + observation.text)
        return Decision(self.plan.pop(0))
"""


def only_run(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


@pytest.fixture
def sly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "sly_agent.py").write_text(SLY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "sly_agent:Sly"


def test_json_prints_the_record_and_nothing_else(mlgym: Mlgym, tmp_path: Path) -> None:
    ran = mlgym(*ORACLE, "--out", tmp_path, "--json")
    assert ran.code == 0
    assert ran.out == (only_run(tmp_path) / "run.json").read_text()
    record = json.loads(ran.out)
    assert record["status"] == "scored"
    assert record["exit_reason"] == "submitted"
    assert record["total_reward"] == pytest.approx(record["score"]["normalized"])
    assert "[2/50] validate" in ran.err


def test_a_pipe_gets_a_line_for_each_step_and_the_result(mlgym: Mlgym, tmp_path: Path) -> None:
    ran = mlgym(*ORACLE, "--out", tmp_path)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split("]")[0] for line in lines if line.startswith("[")] == [
        "[0/50",
        "[1/50",
        "[2/50",
        "[3/50",
    ]
    assert any(line.startswith("score") and "1 the target" in line for line in lines)
    assert lines[-1] == f"run folder: {only_run(tmp_path)}"
    assert "\x1b" not in ran.out


def test_auto_data_says_what_it_chose(mlgym: Mlgym, tmp_path: Path) -> None:
    call = [word for word in ORACLE if word not in ("--data", "mini")]
    ran = mlgym(*call, "--out", tmp_path, "--json")
    assert ran.err.count("data: mini") == 1
    assert json.loads(ran.out)["profile"] == "mini"


def test_missing_data_is_prepared_with_a_line(
    mlgym: Mlgym, tmp_path: Path, base_image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "envs").mkdir(parents=True)
    (home / "envs" / base_image.name).symlink_to(base_image)
    monkeypatch.setenv("MLGYM_HOME", str(home))
    ran = mlgym(*ORACLE, "--out", tmp_path / "runs")
    assert ran.code == 0
    assert ran.err.splitlines() == ["preparing the mini data of battle_of_sexes (data seed 0)"]


def test_a_run_without_a_score_ends_with_1_and_says_why(
    mlgym: Mlgym, tmp_path: Path, sly: str
) -> None:
    ran = mlgym("run", "--task", "battle_of_sexes", "--agent", sly, "--out", tmp_path / "runs")
    assert ran.code == 1
    assert "forfeited" in ran.out


def test_what_an_agent_prints_does_not_spoil_the_json(
    mlgym: Mlgym, tmp_path: Path, sly: str
) -> None:
    out = tmp_path / "runs"
    ran = mlgym("run", "--task", "battle_of_sexes", "--agent", sly, "--out", out, "--json")
    assert ran.code == 1
    assert ran.out == (only_run(out) / "run.json").read_text()
    assert json.loads(ran.out)["status"] == "unscored"


def test_a_model_that_fails_is_exit_code_3(mlgym: Mlgym, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps("```\necho one\n```") + "\n")
    call = ("--agent", "react", "--model", f"scripted:{script}", "--out", tmp_path / "runs")
    ran = mlgym("run", "--task", "battle_of_sexes", *call, "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["exit_reason"] == "model_error"
    assert "model_error" in ran.err


def on_terminal(command: list[str]) -> tuple[int, str]:
    """The exit code of a command, and what it wrote to its terminal of 80 by 24."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "mlgym", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:  # Linux says EIO once the other side is closed
            break
    os.close(ours)
    return running.wait(), written.decode()


def test_a_terminal_shows_the_run_while_it_goes(tmp_path: Path) -> None:
    code, written = on_terminal([*ORACLE, "--out", str(tmp_path)])
    assert code == 0
    assert "battle_of_sexes · oracle · bubblewrap · mini data" in written
    for words in ("step 1 of 50", "h 59 min left", "passed", "> python solution.py", "baseline"):
        assert words in written
    assert "\x1b[?25h" in written  # the cursor is given back
    assert written.rstrip().endswith(str(only_run(tmp_path)))


def test_an_agent_cannot_write_to_the_terminal_through_its_observations(
    tmp_path: Path, sly: str
) -> None:
    call = ["run", "--task", "battle_of_sexes", "--agent", sly, "--out", str(tmp_path / "runs")]
    code, written = on_terminal(call)
    assert code == 1
    assert "\x1b]0;" not in written
    assert "\x1b[2J" not in written
    assert "[bold red]" in written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_scored_recorded_and_ends_with_1(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps("```\nsleep 60\n```") + "\n")
    call = ["--agent", "react", "--model", f"scripted:{script}", "--out", str(tmp_path / "runs")]
    running = subprocess.Popen(
        [sys.executable, "-m", "mlgym", "run", "--task", "battle_of_sexes", *call, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("[0/"):
            break
    time.sleep(1.0)
    running.send_signal(number)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 1
    record = json.loads(out)
    assert record["exit_reason"] == "interrupted"
    assert record["status"] == "scored"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an oracle's run."""
    out = tmp_path_factory.mktemp("runs")
    subprocess.run(
        [sys.executable, "-m", "mlgym", *ORACLE, "--out", str(out)], check=True, timeout=120
    )
    return only_run(out)


def test_a_run_is_replayed_without_a_difference(mlgym: Mlgym, played: Path) -> None:
    ran = mlgym("replay", played)
    assert ran.code == 0
    assert "4 of 4 replayed, 0 differences" in ran.out
    again = mlgym("replay", played.name, "--out", played.parent, "--json")
    assert json.loads(again.out)["differences"] == []


def test_a_replay_that_differs_is_exit_code_1_and_tells_where(
    mlgym: Mlgym, played: Path, tmp_path: Path
) -> None:
    lines = (played / "trajectory.jsonl").read_text().splitlines()
    step = json.loads(lines[1])
    step["exit_code"] = 7
    changed = tmp_path / "trajectory.jsonl"
    changed.write_text("\n".join([lines[0], json.dumps(step), *lines[2:], ""]))
    (tmp_path / "run.json").write_text((played / "run.json").read_text())
    ran = mlgym("replay", changed, "--json")
    assert ran.code == 1
    (difference,) = json.loads(ran.out)["differences"]
    assert difference == {"step": 1, "field": "exit_code", "recorded": 7, "found": 0}
    assert "DIFFERS: exit_code" in mlgym("replay", tmp_path).out


def test_a_bare_trajectory_is_replayed_on_the_task_that_is_named(
    mlgym: Mlgym, played: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.jsonl"
    bare.write_text("".join((played / "trajectory.jsonl").read_text().splitlines(True)[:1]))
    assert "--task" in mlgym("replay", bare).err
    assert mlgym("replay", bare, "--task", "battle_of_sexes").code == 0


def test_a_run_is_graded_again_to_the_same_score(mlgym: Mlgym, played: Path) -> None:
    recorded = json.loads((played / "run.json").read_text())["score"]
    ran = mlgym("grade", "--run", played, "--json")
    assert ran.code == 0
    graded = json.loads(ran.out)
    assert graded["split"] == "test"
    assert graded["metrics"]["payoff"] == pytest.approx(recorded["metrics"]["payoff"], abs=0.02)


def test_files_are_graded_without_an_episode(mlgym: Mlgym, root: Path, tmp_path: Path) -> None:
    starter = root / "tasks" / "battle_of_sexes" / "workspace"
    for path in (starter, starter / "strategy.py"):
        graded = mlgym("grade", "battle_of_sexes", path, "--split", "validation", "--json")
        assert graded.code == 0
        assert json.loads(graded.out)["metrics"]["payoff"] == pytest.approx(1.0227, abs=0.02)
    nothing = mlgym("grade", "battle_of_sexes", tmp_path)
    assert nothing.code == 1
    assert "strategy.py" in nothing.err


def test_tasks_baseline_measures_what_is_committed(mlgym: Mlgym) -> None:
    measured = json.loads(
        mlgym("tasks", "baseline", "battle_of_sexes", "--seeds", "1", "--json").out
    )
    means = {each["what"]: each["mean"]["payoff"] for each in measured["measured"]}
    assert means["baseline"] == pytest.approx(1.0227, abs=0.02)
    assert means["solution"] == pytest.approx(1.44, abs=0.02)


def test_a_run_whose_reader_went_away_is_recorded_to_its_end(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "mlgym", *ORACLE, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(60) == 1
    record = json.loads((only_run(tmp_path) / "run.json").read_text())
    assert record["exit_reason"] == "interrupted"
