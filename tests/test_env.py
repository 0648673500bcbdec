"""The environment's contract, on a task whose metric is a number in a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from gymnasium.error import ResetNeeded

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, TaskError


@pytest.fixture
def env(number_task: Path) -> Iterator[MLGymEnv]:
    env = MLGymEnv(number_task)
    yield env
    env.close()


def answers(env: MLGymEnv, value: object) -> None:
    env.step(f"echo {value} > answer.txt")


def test_reset_gives_the_brief_and_the_three_lasting_infos(env: MLGymEnv) -> None:
    observation, info = env.reset(seed=0)
    assert observation == "Write a number into answer.txt. Metric value, baseline 0."
    assert info == {"step": 0, "remaining_steps": 50, "tool": "reset"}


def test_a_command_is_run_and_its_exit_code_is_told(env: MLGymEnv) -> None:
    env.reset()
    observation, reward, terminated, truncated, info = env.step(
        "echo hi; exit_code() { return 3; }; exit_code"
    )
    assert (observation, reward, terminated, truncated) == ("hi\n", 0.0, False, False)
    assert info == {"step": 1, "remaining_steps": 49, "tool": "bash", "exit_code": 3}


def test_stepping_before_reset_or_after_the_end_is_refused(env: MLGymEnv) -> None:
    with pytest.raises(ResetNeeded):
        env.step("ls")
    env.reset()
    env.step("forfeit")
    with pytest.raises(ResetNeeded, match="forfeited"):
        env.step("ls")
    env.reset()
    assert env.step("echo again")[0] == "again\n"


def test_a_bug_in_the_grader_is_loud(env: MLGymEnv) -> None:
    env.reset()
    answers(env, "bug")
    with pytest.raises(TaskError, match="a bug in the grader"):
        env.step("validate")
    assert env.status == "infrastructure_failure"


@pytest.mark.parametrize("action", ["\ud800", "x" * ((1 << 20) + 1), None, 3])
def test_what_is_no_action_is_answered_and_costs_a_step(env: MLGymEnv, action: object) -> None:
    env.reset()
    observation, _, _, _, info = env.step(action)  # type: ignore[arg-type]
    assert "othing was run" in observation or "nothing was run" in observation
    assert info["step"] == 1
    assert "exit_code" not in info


def test_the_empty_action_is_an_empty_command(env: MLGymEnv) -> None:
    env.reset()
    assert env.step("")[4]["exit_code"] == 0


def test_a_tool_that_is_not_offered_is_not_run(number_task: Path) -> None:
    with MLGymEnv(number_task, tools=["bash", "submit"]) as env:
        env.reset()
        assert "not available" in env.step("validate")[0]
        assert [tool.name for tool in env.tools] == ["bash", "submit"]


def test_infos_hold_no_none_and_are_fresh(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 5)
    infos = [env.step(action)[4] for action in ("validate", "ls", "validate", "submit")]
    for info in infos:
        assert all(value is not None for value in info.values())
    infos[0]["metrics"]["value"] = math.nan
    assert infos[2]["metrics"] == {"value": 5.0}
    assert infos[2]["best_metrics"] == {"value": 5.0}


def test_last_transition_records_the_step(env: MLGymEnv) -> None:
    env.reset()
    assert env.last_transition is not None
    assert (env.last_transition.step, env.last_transition.action) == (0, None)
    env.step("echo hi")
    last = env.last_transition
    assert last is not None
    assert (last.step, last.parent, last.action, last.observation) == (1, 0, "echo hi", "hi\n")
    assert last.duration_s > 0


def test_the_ansi_mode_renders_the_last_observation(number_task: Path) -> None:
    with MLGymEnv(number_task, render_mode="ansi") as env:
        env.reset()
        env.step("echo hi")
        assert env.render() == "hi\n"


def test_the_human_mode_prints_by_itself(
    number_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MLGymEnv(number_task, render_mode="human") as env:
        env.reset()
        env.step("echo hi")
    assert "hi\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sandbox": "bubblewarp"}, "bubblewrap"),
        ({"data": "full"}, "no data profile"),
        ({"reward": "improvment"}, "improvement"),
        ({"max_steps": 0}, "at least 1"),
        ({"render_mode": "rgb"}, "ansi"),
        ({"tools": ["bsh"]}, "bash"),
        ({"runtime": "runsc"}, "docker"),
    ],
)
def test_bad_arguments_are_refused_at_once(
    number_task: Path, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        MLGymEnv(number_task, **arguments)  # type: ignore[arg-type]


def test_an_unknown_task_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ConfigError, match="house_price"):
        MLGymEnv("house_prise")
