"""What an episode pays and how it is scored, on a task whose metric is a number in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gymnasium.error import ResetNeeded

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.reward import RewardContext
from mlgym.types import ExitReason


@pytest.fixture
def env(number_task: Path) -> Iterator[MLGymEnv]:
    env = MLGymEnv(number_task)
    yield env
    env.close()


def answers(env: MLGymEnv, value: object) -> None:
    env.step(f"echo {value} > answer.txt")


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
    kept = env.episode.judge.kept
    assert kept is not None
    assert kept.files["answer.txt"] == b"5.00\n"


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
