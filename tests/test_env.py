"""The environment's contract, on a task whose metric is a number in a file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import mlgym
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.reward import RewardContext
from mlgym.types import ExitReason


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


def test_the_return_is_the_test_score_with_improvement_rewards(env: MLGymEnv) -> None:
    env.reset()
    rewards = []
    for value in (5, 3, 8):
        answers(env, value)
        rewards.append(env.step("validate")[1])
    assert rewards == pytest.approx([0.5, 0.0, 0.3])
    _, reward, terminated, truncated, info = env.step("submit")
    assert (terminated, truncated) == (True, False)
    assert sum(rewards) + reward == pytest.approx(0.7)
    assert info["score"] == pytest.approx(0.7)
    assert info["exit_reason"] == "submitted"
    assert info["metrics"] == {"value": 7.0}
    assert info["best_metrics"] == {"value": 8.0}
    assert env.score is not None
    assert (env.score.source, env.score.split) == ("submitted", "test")


def test_final_rewards_pay_only_at_the_end(number_task: Path) -> None:
    with MLGymEnv(number_task, reward="final") as env:
        env.reset()
        answers(env, 6)
        assert env.step("validate")[1] == 0.0
        assert env.step("submit")[1] == pytest.approx(0.5)


def test_a_reward_of_ones_own_sees_every_step(number_task: Path) -> None:
    seen: list[RewardContext] = []

    def reward(context: RewardContext) -> float:
        seen.append(context)
        return 42.0

    with MLGymEnv(number_task, reward=reward) as env:
        env.reset()
        answers(env, 5)
        assert env.step("validate")[1] == 42.0
        env.step("submit")
    assert [context.tool for context in seen] == ["bash", "validate", "submit"]
    assert [context.score for context in seen] == pytest.approx([0.0, 0.5, 0.4])
    assert seen[1].metrics == {"value": 5.0}


def test_scores_are_clipped_in_rewards_and_not_in_records(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 101)
    assert env.step("validate")[1] == 2.0
    info = env.step("submit")[4]
    assert info["score"] == pytest.approx(10.0)
    assert env.episode.total_reward == pytest.approx(2.0)


def test_an_invalid_submission_ends_the_episode_unscored(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 5)
    env.step("validate")
    answers(env, "words")
    observation, reward, terminated, _, info = env.step("submit")
    assert "found 'words', expected a number" in observation
    assert (terminated, reward) == (True, -0.5)
    assert "score" not in info
    assert env.status == "unscored"


def test_an_invalid_validation_is_an_observation(env: MLGymEnv) -> None:
    env.reset()
    observation, reward, terminated, _, info = env.step("validate")
    assert "answer.txt is missing" in observation
    assert (reward, terminated) == (0.0, False)
    assert "metrics" not in info


def test_a_spent_budget_scores_the_best_validation(number_task: Path) -> None:
    with MLGymEnv(number_task, max_steps=4) as env:
        env.reset()
        answers(env, 8)
        env.step("validate")
        answers(env, 1)
        observation, reward, terminated, truncated, info = env.step("echo last")
        assert observation.startswith("last\n")
        assert (terminated, truncated) == (False, True)
        assert info["exit_reason"] == "max_steps"
        assert env.score is not None
        assert env.score.source == "best_validated"
        assert info["score"] == pytest.approx(0.7)
        assert reward == pytest.approx(-0.1)
        assert info["remaining_steps"] == 0


def test_without_a_validation_the_files_as_they_are_count(number_task: Path) -> None:
    with MLGymEnv(number_task, max_steps=1) as env:
        env.reset()
        info = env.step("echo 6 > answer.txt")[4]
        assert env.score is not None
        assert env.score.source == "last_workspace"
        assert info["score"] == pytest.approx(0.5)


def test_the_later_of_two_equal_validations_is_kept(env: MLGymEnv) -> None:
    env.reset()
    answers(env, "5.0")
    env.step("validate")
    answers(env, "5.00")
    env.step("validate")
    assert env.episode.judge._best_files["answer.txt"] == b"5.00\n"


def test_forfeit_ends_without_a_score_and_takes_back_what_was_paid(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 5)
    env.step("validate")
    _, reward, terminated, _, info = env.step("forfeit")
    assert (terminated, reward) == (True, -0.5)
    assert info["exit_reason"] == "forfeited"
    assert env.status == "unscored"


def test_time_inside_step_is_a_budget_and_grading_is_not_counted(number_task: Path) -> None:
    spec = number_task / "task.yaml"
    spec.write_text(spec.read_text().replace("wall_s: 60", "wall_s: 1"))
    grader = number_task / "grader" / "grade.py"
    grader.write_text(
        grader.read_text().replace("    text =", "    import time; time.sleep(1.5)\n    text =", 1)
    )
    with MLGymEnv(number_task) as env:
        env.reset()
        answers(env, 5)
        assert not env.step("validate")[3]
        observation, _, terminated, truncated, info = env.step("sleep 30")
        assert "no end after" in observation
        assert (terminated, truncated, info["exit_reason"]) == (False, True, "wall_time")


def test_finish_ends_from_outside_by_the_same_rule(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 5)
    env.step("validate")
    _, _, terminated, truncated, info = env.finish("cost_limit")
    assert (terminated, truncated, info["exit_reason"], info["tool"]) == (
        False,
        True,
        "cost_limit",
        "finish",
    )
    assert info["score"] == pytest.approx(0.4)
    with pytest.raises(ResetNeeded):
        env.finish("interrupted")


def test_finish_refuses_what_only_an_action_can_give(env: MLGymEnv) -> None:
    env.reset()
    with pytest.raises(ValueError, match="action"):
        env.finish("submitted")
    with pytest.raises(ValueError, match="tired"):
        env.finish("tired")


def test_a_void_ending_is_not_graded(env: MLGymEnv) -> None:
    env.reset()
    answers(env, 5)
    _, reward, _, truncated, info = env.finish(ExitReason.MODEL_ERROR)
    assert (reward, truncated) == (0.0, True)
    assert "score" not in info
    assert env.status == "infrastructure_failure"


def test_stepping_before_reset_or_after_the_end_is_refused(env: MLGymEnv) -> None:
    with pytest.raises(ResetNeeded):
        env.step("ls")
    env.reset()
    env.step("forfeit")
    with pytest.raises(ResetNeeded, match="forfeited"):
        env.step("ls")
    env.reset()
    assert env.step("echo again")[0] == "again\n"


def test_a_lost_sandbox_voids_the_episode_and_reset_brings_a_new_one(env: MLGymEnv) -> None:
    import os
    import signal

    env.reset()
    os.kill(env.sandbox._launcher._guest_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    with pytest.raises(SandboxError):
        env.step("ls")
    assert (env.exit_reason, env.status) == ("sandbox_error", "infrastructure_failure")
    env.reset()
    assert env.step("echo back")[0] == "back\n"


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


TASKS = ["battle_of_sexes", "blotto", "house_price"]
SANDBOXES = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("task", TASKS)
def test_gymnasiums_checker_passes_without_a_warning(task: str, sandbox: str) -> None:
    env = gym.make(f"mlgym/{task}-v1", sandbox=sandbox, data="mini")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


# Docker makes a container's root folder anew: its time (".." here) is all that is not fixed there.
ACTIONS = [
    "ls -la | grep -v '\\.\\.$'",
    "pwd; cd /tmp; ls -la / | grep -v -E ' (dev|proc|\\.\\.?)$'",
    "cd /workspace; head -c 300 README.md; id -un; env | sort",
    'open "README.md"',
    "search_dir def",
    "validate",
    "echo x > new; stat -c '%U %s' new",
    "create made.py\n<<END\nx = 1\nEND",
    "nonsense --flag",
    "submit",
]


@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("task", TASKS)
def test_same_seed_and_actions_give_the_same_twice(task: str, sandbox: str) -> None:
    def play() -> list[object]:
        env = gym.make(f"mlgym/{task}-v1", sandbox=sandbox, data="mini")
        try:
            return [env.reset(seed=7), *(env.step(action) for action in ACTIONS)]
        finally:
            env.close()

    assert play() == play()


def test_built_in_ids_are_those_of_the_tasks_folder(root: Path) -> None:
    from mlgym.registration import BUILTIN_TASKS
    from mlgym.task.spec import load_task

    found = [load_task(path.parent).spec for path in (root / "tasks").glob("*/task.yaml")]
    assert sorted(BUILTIN_TASKS) == sorted((spec.id, spec.version) for spec in found)
    assert all(f"mlgym/{name}-v{version}" in gym.registry for name, version in BUILTIN_TASKS)
    assert all(
        gym.registry[f"mlgym/{name}-v1"].max_episode_steps is None for name, _ in BUILTIN_TASKS
    )


def test_packs_are_registered_on_request(
    number_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_PATH", str(number_task.parent.parent))
    assert mlgym.register_packs() == ["mlgym/number-v1"]
    env = gym.make("mlgym/number-v1")
    env.reset(seed=1)
    env.step("cp README.md answer.txt")
    env.close()
    del gym.registry["mlgym/number-v1"]
