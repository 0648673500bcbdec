"""Branching an episode: what a snapshot holds, what it does not, and where it can be restored."""

from __future__ import annotations

import errno
import io
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gymnasium.error import ResetNeeded

from mlgym import ConfigError, Snapshot
from mlgym.env import MLGymEnv


@pytest.fixture
def env(number_task: Path, backend: str) -> Iterator[MLGymEnv]:
    with MLGymEnv(number_task, sandbox=backend) as env:
        env.reset(seed=3)
        yield env


def test_restore_brings_back_files_shell_and_editor(env: MLGymEnv) -> None:
    env.step("mkdir d && cd d && export A='1 2' && f() { echo f$1; } && echo one > file")
    env.step("open file")
    with env.snapshot() as snapshot:
        env.step("cd / && unset A f && rm -r /workspace/d")
        env.restore(snapshot)
    assert env.step('pwd; echo "$A"; f 3; cat file')[0] == "/workspace/d\n1 2\nf3\none\n"
    assert "1 line(s) replaced" in env.step("edit 1:1\ntwo\nend_of_edit")[0]


def test_restore_brings_back_account_scores_and_random_state(env: MLGymEnv) -> None:
    env.step("echo 5 > answer.txt")
    assert env.step("validate")[1] == pytest.approx(0.5)
    with env.snapshot() as snapshot:
        drawn = env.np_random.random()
        env.step("echo 8 > answer.txt")
        assert env.step("validate")[1] == pytest.approx(0.3)
        env.restore(snapshot)
        assert env.np_random.random() == drawn
        assert env.step_count == 2
        assert env.best_validation is not None
        assert env.best_validation.metrics == {"value": 5.0}
        # What was gained on the branch that was left is to be gained again.
        env.step("echo 8 > answer.txt")
        observation, reward, _, _, info = env.step("validate")
    assert reward == pytest.approx(0.3)
    assert info["step"] == 4
    assert "best validation value so far: 8" in observation


def test_the_best_submission_is_part_of_a_snapshot(env: MLGymEnv) -> None:
    env.step("echo 5 > answer.txt")
    env.step("validate")
    with env.snapshot() as snapshot:
        env.step("echo 9 > answer.txt")
        env.step("validate")
        env.restore(snapshot)
    env.step("echo junk > answer.txt")
    *_, info = env.finish("interrupted")
    assert info["metrics"] == {"value": 4.0}  # 5, and 1 less on the test split


def test_the_budget_goes_on_counting_where_it_is_kept(env: MLGymEnv) -> None:
    env.step("true")
    with env.snapshot() as snapshot:
        env.step("sleep 0.3")
        env.step("true")
        left = env.remaining_s
        env.restore(snapshot, keep_budget=True)
        assert env.step_count == 3
        assert env.remaining_s == pytest.approx(left)
        env.restore(snapshot)
    assert env.step_count == 1
    assert env.remaining_s > left + 0.2


def test_what_other_branches_won_stays_where_the_budget_is_kept(env: MLGymEnv) -> None:
    rewards: list[float] = []
    with env.snapshot() as snapshot:
        for answer in ("8", "5", "9"):
            env.step(f"echo {answer} > answer.txt")
            rewards.append(env.step("validate")[1])
            env.restore(snapshot, keep_budget=True)
    assert rewards == pytest.approx([0.8, 0.0, 0.1])
    assert env.best_validation is not None
    assert env.best_validation.metrics == {"value": 9.0}
    _, reward, _, _, info = env.finish("max_steps")
    assert info["metrics"] == {"value": 8.0}
    assert sum(rewards) + reward == pytest.approx(0.8)


def test_a_better_submission_of_another_environment_is_taken_over(
    env: MLGymEnv, number_task: Path
) -> None:
    env.step("echo 8 > answer.txt")
    env.step("validate")
    with env.snapshot() as snapshot, MLGymEnv(number_task, sandbox=env.sandbox_name) as other:
        for mine, best in (("5", 8.0), ("9", 9.0)):
            other.reset()
            other.step(f"echo {mine} > answer.txt")
            other.step("validate")
            other.restore(snapshot, keep_budget=True)
            assert other.best_validation is not None
            assert other.best_validation.metrics == {"value": best}
            assert other.step_count == 2


def test_a_host_without_room_is_told_and_the_episode_goes_on(
    env: MLGymEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    env.step("head -c 3000000 /dev/urandom > big")
    with monkeypatch.context() as patch:
        patch.setattr("mlgym.snapshot.tempfile.SpooledTemporaryFile", lambda _: Full())
        with pytest.raises(OSError, match="No space"):
            env.snapshot()
    assert env.step("echo alive")[0] == "alive\n"
    with env.snapshot() as snapshot:
        assert snapshot.size > 3_000_000


def test_processes_are_no_part_of_it_and_end_with_a_restore(env: MLGymEnv) -> None:
    env.step("sleep 1000 >/dev/null 2>&1 &")
    with env.snapshot() as snapshot:
        assert "sleep" in env.step("ps -e || cat /proc/*/comm")[0]
        env.restore(snapshot)
    assert "sleep" not in env.step("cat /proc/*/comm")[0]


def test_it_travels_as_bytes_to_another_environment(
    env: MLGymEnv, number_task: Path, backend: str
) -> None:
    env.step("head -c 6000000 /dev/urandom > big; sha256sum < big > sum; export A=1")
    with env.snapshot() as snapshot:
        shipped, pickled = snapshot.to_bytes(), pickle.dumps(snapshot)
    with MLGymEnv(number_task, sandbox=backend) as other:
        other.reset()
        for data in (shipped, pickled):
            with Snapshot.from_bytes(data) as arrived:
                other.restore(arrived)
            assert other.step_count == 1
            assert other.step("echo $A; sha256sum < big | diff - sum")[0] == "1\n"


def test_a_closed_one_can_be_neither_restored_nor_pickled(env: MLGymEnv) -> None:
    snapshot = env.snapshot()
    snapshot.close()
    snapshot.close()
    with pytest.raises(ValueError, match="closed"):
        env.restore(snapshot)
    with pytest.raises(ValueError, match="closed"):
        pickle.dumps(snapshot)
    assert env.step("echo alive")[0] == "alive\n"


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    for data in (b"", b"junk", pickle.dumps(5)):
        with pytest.raises(ConfigError, match="no snapshot"):
            Snapshot.from_bytes(data)


def test_one_of_another_task_is_refused(env: MLGymEnv, number_task: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed" / "number"
    shutil.copytree(number_task, changed)
    (changed / "workspace" / "README.md").write_text("another one\n")
    with env.snapshot() as snapshot, MLGymEnv(changed, sandbox=env.sandbox_name) as other:
        other.reset()
        with pytest.raises(ConfigError, match="cannot fit"):
            other.restore(snapshot)


def test_what_is_over_is_neither_taken_nor_restored_without_a_reset(env: MLGymEnv) -> None:
    env.step("echo 5 > answer.txt")
    with env.snapshot() as snapshot:
        env.step("submit")
        with pytest.raises(ResetNeeded):
            env.restore(snapshot)
        with pytest.raises(ResetNeeded):
            env.snapshot()
        env.reset()
        env.restore(snapshot)
    assert env.step("cat answer.txt")[0] == "5\n"


def test_nothing_is_taken_or_restored_before_a_reset(number_task: Path, env: MLGymEnv) -> None:
    with env.snapshot() as snapshot, MLGymEnv(number_task) as fresh:
        with pytest.raises(ResetNeeded):
            fresh.snapshot()
        with pytest.raises(ResetNeeded):
            fresh.restore(snapshot)


def test_a_branching_environment_goes_back_from_the_end_and_has_no_score(
    number_task: Path, backend: str
) -> None:
    with MLGymEnv(number_task, sandbox=backend, branching=True) as env:
        env.reset()
        for answer, gain in (("5", 0.4), ("7", 0.6)):
            with env.snapshot() as snapshot:
                env.step(f"echo {answer} > answer.txt")
                _, reward, terminated, _, info = env.step("submit")
                assert (reward, terminated) == (pytest.approx(gain), True)
                assert info["metrics"] == {"value": float(answer) - 1}
                assert "score" not in info
                assert (env.score, env.status) == (None, "unscored")
                env.restore(snapshot)
            assert env.exit_reason is None


def test_a_state_that_a_shell_will_not_tell_is_left_behind(env: MLGymEnv) -> None:
    """An agent may hang its own shell's builtins: files are saved all the same."""
    env.step("echo kept > file; builtin() { sleep 100; }; printf() { sleep 100; }")
    began = time.monotonic()
    with env.snapshot() as snapshot:
        env.step("rm file")
        env.restore(snapshot)
    assert time.monotonic() - began < 40
    assert env.step("cat /workspace/file")[0] == "kept\n"
