"""Other systems' trajectories: read as data, told apart from our own, refused where they lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgym.cli.main import main
from mlgym.errors import ConfigError
from mlgym.runs.foreign import read_traj
from mlgym.runs.importing import PROFILE
from mlgym.runs.listing import list_runs
from mlgym.runs.sft import chats
from mlgym.runs.steps import write_steps
from mlgym.runs.store import RunFolder


def item(action: str, observation: str = "", **fields: Any) -> dict[str, Any]:
    texts = {"response": "", "thought": "", "state": "{}"}
    return {"action": action, "observation": observation, "execution_time": 0.5, **texts, **fields}


def traj() -> dict[str, Any]:
    return {
        "environment": "battleOfSexes",
        "history": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "a demonstration", "is_demo": True},
            {"role": "user", "content": "Win the game."},
        ],
        "trajectory": [
            item("ls\n", "strategy.py\n", thought="I look."),
            item("validate\n", "Evaluation: 1.1"),
            item("submit\n", "<<SUBMISSION||done||SUBMISSION>>\ud800\x1b[2J", execution_time=3),
        ],
        "info": {
            "score": [{"payoff": 1.1, "extra": 1}, {"payoff": 1.4, "extra": 2}],
            "exit_status": "submitted",
            "model_stats": {"api_calls": 3, "tokens_sent": 900, "instance_cost": 0.25},
        },
    }


Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    def lay_file(content: Any, name: str = "gpt__battleOfSexes__default/run.traj") -> Path:
        path = tmp_path / "published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return lay_file


def import_traj(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["import-traj", *map(str, arguments)])
    return int(stopped.value.code or 0)


def test_an_imported_run_says_in_three_places_that_it_is_one(lay: Lay, tmp_path: Path) -> None:
    path = lay(traj())
    (path.parent / "results.json").write_text('{"baseline": {"payoff": 1.02}}')
    assert import_traj(path, "--out", tmp_path / "runs") == 0
    (row,) = list_runs(tmp_path / "runs")
    assert (row.task, row.model, row.status) == ("battle_of_sexes", "gpt", "scored")
    assert (row.primary, row.value) == ("payoff", 1.4)
    assert row.score is not None
    record = RunFolder(row.path).record()
    assert record["profile"] == PROFILE != "full"
    assert record["config"]["imported"]["exit_status"] == "submitted"
    assert "imported" in record["versions"]
    assert record["baseline"] == {"payoff": 1.02}
    assert record["best_validation"]["metrics"]["payoff"] == 1.1
    assert (record["usage"]["calls"], record["usage"]["cost_usd"]) == (3, 0.25)
    assert record["duration_s"] == 4.0


def test_its_steps_are_a_trajectory_like_any_other(lay: Lay, tmp_path: Path) -> None:
    assert import_traj(lay(traj()), "--out", tmp_path / "runs") == 0
    (row,) = list_runs(tmp_path / "runs")
    run = RunFolder(row.path)
    steps = run.transitions()
    assert [step.tool for step in steps] == ["reset", "bash", "validate", "submit"]
    assert steps[0].observation == "Win the game."
    assert steps[2].metrics == {"payoff": 1.1, "extra": 1}
    assert (steps[3].terminated, steps[3].truncated) == (True, False)
    assert write_steps([run], tmp_path / "steps.parquet") == 4
    (chat,) = chats(run)
    calls = [call for message in chat["messages"] for call in message.get("tool_calls", ())]
    assert [call["function"]["name"] for call in calls] == ["bash", "validate", "submit"]


def test_it_can_be_neither_replayed_nor_graded(lay: Lay, tmp_path: Path) -> None:
    assert import_traj(lay(traj()), "--out", tmp_path / "runs") == 0
    (row,) = list_runs(tmp_path / "runs")
    for command in (["replay", str(row.path)], ["grade", "--run", str(row.path)]):
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert stopped.value.code == 2


def test_a_folder_is_imported_once_and_each_run_has_a_seed_of_its_own(
    lay: Lay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        content = traj()
        content["info"]["score"][-1]["payoff"] = number
        lay(content, f"gpt__battleOfSexes__{number}/run.traj")
    call = (tmp_path / "published", "--out", tmp_path / "runs", "--json")
    assert import_traj(*call) == 0
    rows = list_runs(tmp_path / "runs")
    assert sorted(row.seed or 0 for row in rows) == [0, 1, 2]
    capsys.readouterr()
    assert import_traj(*call) == 0
    assert json.loads(capsys.readouterr().out) == {"imported": [], "known": 3, "broken": []}


def test_a_task_that_is_not_in_the_catalogue_has_no_normalized_score(
    lay: Lay, tmp_path: Path
) -> None:
    content = traj()
    del content["environment"]
    path = lay(content, "plain/run.traj")
    assert import_traj(path, "--out", tmp_path / "runs") == 2
    assert import_traj(path, "--task", "juggling", "--out", tmp_path / "runs") == 0
    (row,) = list_runs(tmp_path / "runs")
    assert (row.task, row.model, row.value, row.score) == ("juggling", None, 1.4, None)


def test_a_run_without_a_score_is_unscored(lay: Lay, tmp_path: Path) -> None:
    content = {**traj(), "info": {"exit_status": "exit_cost"}, "trajectory": []}
    assert import_traj(lay(content), "--out", tmp_path / "runs") == 0
    (row,) = list_runs(tmp_path / "runs")
    assert (row.status, row.exit_reason, row.score) == ("unscored", "cost_limit", None)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("trajectory",), None, ("trajectory", "found None", "expected a list")),
        (("trajectory", 1), "x", (r"trajectory[1]", "'x'", "an object")),
        (("trajectory", 1, "action"), 3, (r"trajectory[1].action", "found 3", "text")),
        (("trajectory", 0, "execution_time"), "1", ("execution_time", "'1'", "finite number")),
        (("trajectory", 0, "execution_time"), -1, ("execution_time", "-1", "seconds")),
        (("trajectory", 0, "execution_time"), 10**400, ("execution_time", "finite number")),
        (("trajectory", 0, "thought"), [], ("thought", "[]", "text")),
        (("history",), {}, ("history", "{}", "a list")),
        (("history", 0), 1, ("history[0]", "found 1", "an object")),
        (("info",), [], ("info", "[]", "an object")),
        (("info", "score", 0), 1, ("info.score[0]", "an object of numbers")),
        (("info", "score", 0, "payoff"), "1", ("info.score[0].payoff", "'1'", "finite number")),
        (("info", "score", 1, "payoff"), float("nan"), ("info.score[1].payoff", "nan")),
        (("info", "exit_status"), 0, ("info.exit_status", "found 0", "text")),
        (("info", "model_stats"), 0, ("info.model_stats", "found 0", "an object")),
        (("info", "model_stats", "api_calls"), True, ("model_stats.api_calls", "True")),
        (("environment",), {}, ("environment", "{}", "text")),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found_and_expected(
    lay: Lay, place: tuple[Any, ...], value: Any, told: tuple[str, ...]
) -> None:
    content: Any = traj()
    owner = content
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    path = lay(content)
    with pytest.raises(ConfigError) as raised:
        read_traj(path)
    for words in (str(path), *told):
        assert words in str(raised.value)


@pytest.mark.parametrize("text", ["", "[1]", '{"trajectory"', "[" * 100_000, "\x00", "9" * 5000])
def test_a_file_that_is_no_trajectory_is_refused(lay: Lay, text: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.traj"):
        read_traj(lay(text))


def test_one_broken_file_does_not_keep_the_others_out(
    lay: Lay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(traj())
    bad = lay({"trajectory": 1}, "other/bad.traj")
    assert import_traj(tmp_path / "published", "--out", tmp_path / "runs") == 2
    said = capsys.readouterr()
    assert str(bad) in said.err
    assert "imported 1 of 2" in said.out
    assert len(list_runs(tmp_path / "runs")) == 1
