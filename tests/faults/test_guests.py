"""Sandboxes whose PID 1 is killed, or stopped so that it never answers, at every moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from breakage import (
    Harm,
    alive,
    assert_grades,
    assert_recorded_as_void,
    assert_usable,
    assert_void,
    begin,
    edit,
    guest_pid,
    impatient,
    kill,
    play,
    soon,
    stop,
    wait_for,
)

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError

HARMS = [pytest.param(kill, id="killed"), pytest.param(stop, id="stopped")]
EITHER = pytest.mark.parametrize("harm", HARMS)

SLOW_GRADER = """\
import time


def grade(submission, answers, split, rng):
    time.sleep(1)
    return {"value": float((submission / "answer.txt").read_text())}
"""
ASKING_GRADER = """\
def grade(player, answers, split, rng):
    player.load("answer.py", seed=1)
    return {"value": float(player.call("value", timeout_s=1.5))}
"""
SLOW_PROGRAM = "import time\ndef value():\n    time.sleep(1)\n    return 5\n"


def test_a_guest_killed_between_steps_voids_the_episode(env: MLGymEnv) -> None:
    begin(env)
    kill(env.sandbox)
    assert "lost" in assert_void(env, "ls", SandboxError)
    assert_usable(env)


@EITHER
def test_a_guest_lost_under_a_command_voids_the_episode(env: MLGymEnv, harm: Harm) -> None:
    begin(env)
    with soon(harm, lambda: env.sandbox):
        assert_void(env, "sleep 30", SandboxError)
    assert_usable(env)


@pytest.mark.parametrize(
    "action", ["open README.md", "create x\n<<END\nx\nEND", "find_file x", "submit"]
)
def test_a_guest_that_does_not_answer_a_tool_voids_the_episode(env: MLGymEnv, action: str) -> None:
    begin(env)
    stop(env.sandbox)
    assert_void(env, action, SandboxError)


@EITHER
def test_a_guest_lost_before_its_submission_is_fetched_gets_no_score(
    env: MLGymEnv, harm: Harm
) -> None:
    assert_grades(env)
    harm(env.sandbox)
    assert_void(env, "validate", SandboxError)
    assert_grades(env)


@EITHER
def test_a_reset_during_which_the_guest_is_lost_brings_a_new_one(env: MLGymEnv, harm: Harm) -> None:
    begin(env)
    lost = guest_pid(env.sandbox)
    # Stopped, so that the reset is under way for long enough.
    stop(env.sandbox)
    with soon(harm, lambda: env.sandbox), impatient():
        env.reset()
    assert_usable(env)
    assert guest_pid(env.sandbox) != lost
    assert not alive(lost)


def test_a_guest_lost_between_episodes_is_nobody_s_failure(env: MLGymEnv) -> None:
    begin(env)
    env.step("forfeit")
    kill(env.sandbox)
    assert_usable(env)


@EITHER
def test_a_grading_whose_guest_is_lost_voids_the_episode(
    quick_task: Path, env: MLGymEnv, harm: Harm
) -> None:
    (quick_task / "grader" / "grade.py").write_text(SLOW_GRADER)
    begin(env)
    with soon(harm, lambda: env.laboratory._grader._referee, 0.5):
        assert_void(env, "validate", SandboxError)
    assert_grades(env)


@EITHER
def test_a_player_whose_guest_is_lost_is_not_blamed(
    quick_task: Path, backend: str, harm: Harm
) -> None:
    edit(
        quick_task / "task.yaml", "predictions, paths: [answer.txt]", "program, paths: [answer.py]"
    )
    (quick_task / "grader" / "grade.py").write_text(ASKING_GRADER)
    (quick_task / "workspace" / "answer.py").write_text(SLOW_PROGRAM)
    with MLGymEnv(quick_task, sandbox=backend) as env:
        env.reset()
        with soon(harm, lambda: env.laboratory._grader._player, 0.5):
            assert_void(env, "submit", SandboxError)
        env.reset()
        assert env.step("validate")[4]["metrics"] == {"value": 5.0}


@EITHER
def test_a_warm_grading_sandbox_lost_between_gradings_is_replaced(
    env: MLGymEnv, harm: Harm
) -> None:
    assert_grades(env)
    harm(env.laboratory._grader._referee)
    with impatient(1.0):
        assert env.step("submit")[4]["score"] == pytest.approx(0.4)


@EITHER
def test_an_environment_whose_guests_are_lost_closes_at_once(env: MLGymEnv, harm: Harm) -> None:
    assert_grades(env)
    for sandbox in (env.sandbox, env.laboratory._grader._referee):
        harm(sandbox)
    began = time.monotonic()
    env.close()
    assert time.monotonic() - began < 5
    assert_usable(env)


@EITHER
def test_a_run_whose_guest_is_lost_is_recorded_as_the_infrastructure_s(
    quick_task: Path, backend: str, tmp_path: Path, harm: Harm
) -> None:
    def at_the_third(env: MLGymEnv, number: int) -> None:
        if number == 2:
            harm(env.sandbox)

    actions = ["echo 5 > answer.txt", "validate", "open answer.txt", "submit"]
    played = play(quick_task, backend, tmp_path / "runs", actions, at_the_third)
    assert_recorded_as_void(played, "sandbox_error", 3)
    # What was validated before is told of, and is no score.
    assert played.record["best_validation"]["metrics"] == {"value": 5.0}


def test_a_sandbox_outlives_bwrap_itself_and_ends_with_its_environment(quick_task: Path) -> None:
    with MLGymEnv(quick_task, sandbox="bubblewrap") as env:
        begin(env)
        guest = guest_pid(env.sandbox)
        os.kill(env.sandbox._launcher._process.pid, signal.SIGKILL)
        assert env.step("validate")[4]["metrics"] == {"value": 5.0}
        assert_grades(env)
    assert wait_for(lambda: not alive(guest), 5)


def test_a_number_given_to_another_process_is_not_killed(quick_task: Path) -> None:
    with MLGymEnv(quick_task, sandbox="bubblewrap") as env:
        begin(env)
        guest, launcher = guest_pid(env.sandbox), env.sandbox._launcher
        # As if the guest had ended long ago and its number were another's.
        launcher._guest_began = "1"
        assert not launcher._may_be_ours(guest)
        launcher._guest_began = None
        kill(env.sandbox)
        assert wait_for(lambda: launcher._may_be_ours(guest), 5)
