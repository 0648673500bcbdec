"""Asking and answering out of step, and failures that stay with the one who has them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import AlreadyPendingCallError
from gymnasium.vector import AutoresetMode

from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.vector import MLGymVectorEnv, make_vec
from mlgym.vector.curriculum import Pick, round_robin, weighted

Make = Callable[..., MLGymVectorEnv]


def pids_of(envs: MLGymVectorEnv, number: int) -> list[int]:
    """The processes of one environment's sandbox."""
    sandbox = envs.envs[number].sandbox
    assert isinstance(sandbox, GuestSandbox)
    return sandbox.pids()


def kill_guest(envs: MLGymVectorEnv, number: int) -> None:
    for pid in pids_of(envs, number):
        # The first one's death may take others with it.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_slow_command_holds_up_nobody_else(make: Make) -> None:
    envs = make(3)
    envs.reset()
    envs.step_async(("sleep 3; echo slow", "echo 1", "echo 2"))
    steps = {1: 0, 2: 0}
    while min(steps.values()) < 3:
        ids, texts, rewards, terminations, truncations, infos = envs.recv()
        assert 0 not in ids
        assert len(ids) == len(texts) == len(rewards) == len(infos["step"])
        assert not (terminations | truncations).any()
        for number, text in zip(ids.tolist(), texts, strict=True):
            steps[number] += 1
            assert text == f"{number}\n"
        envs.send([f"echo {number}" for number in ids], ids)
    with pytest.raises(AlreadyPendingCallError, match=r"\[0\] are under way"):
        envs.send(["true"], [0])
    with pytest.raises(ValueError, match=r"expected 0 to 2"):
        envs.send(["true"], [3])
    assert envs.recv(min_ready=3)[0].tolist() == [0, 1, 2]


def test_gradings_of_several_overlap(make: Make) -> None:
    envs = make(2)
    envs.reset()
    envs.step(("echo 4 > answer.txt", "echo nothing > answer.txt"))
    envs.step_async(("validate", "sleep 0.2; echo done"))
    observations, rewards, _, _, infos = envs.step_wait()
    assert (rewards[0], observations[1]) == (0.4, "done\n")
    assert infos["metrics"]["value"].tolist() == [4, 0]
    assert infos["metrics"]["_value"].tolist() == [True, False]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_killed_sandbox_is_told_and_replaced_and_its_siblings_go_on(
    make: Make, mode: AutoresetMode
) -> None:
    envs = make(3, autoreset_mode=mode)
    envs.reset(seed=3)
    envs.step(("A=0", "A=1", "A=2"))
    kill_guest(envs, 1)
    observations, rewards, terminations, truncations, infos = envs.step(("echo $A",) * 3)
    assert (observations[0], observations[2]) == ("0\n", "2\n")
    assert rewards.tolist() == [0, 0, 0]
    assert not terminations.any()
    assert truncations.tolist() == [False, True, False]
    last = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
    assert last["_infrastructure_failure"].tolist() == [False, True, False]
    assert "lost" in last["infrastructure_failure"][1]
    assert last["exit_reason"][1] == "sandbox_error"
    if mode is AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": truncations})
    if mode is AutoresetMode.NEXT_STEP:
        envs.step(("true",) * 3)
    observations, _, _, truncations, infos = envs.step(("echo $A$A",) * 3)
    assert observations == ("00\n", "\n", "22\n")
    assert not truncations.any()
    assert "infrastructure_failure" not in infos


def test_a_bug_in_a_grader_voids_one_episode(make: Make) -> None:
    envs = make(2)
    envs.reset()
    envs.step(("echo bug > answer.txt", "echo 1 > answer.txt"))
    _, rewards, _, truncations, infos = envs.step(("validate",) * 2)
    assert (rewards.tolist(), truncations.tolist()) == ([0, 0.1], [True, False])
    assert infos["exit_reason"].tolist() == ["task_error", None]
    assert infos["tool"].tolist() == ["validate", "validate"]
    assert "a bug in the grader" in infos["infrastructure_failure"][0]


def test_a_reset_that_fails_twice_is_told_and_tried_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    envs = make(2, autoreset_mode="NextStep")
    envs.reset()
    envs.step(("forfeit", "true"))
    laboratory = envs.envs[0].laboratory
    tries: list[int] = []

    def no_room() -> None:
        tries.append(1)
        raise SandboxError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(laboratory, "open", no_room)
        observations, _, _, truncations, infos = envs.step(("", "echo 1"))
        assert "no room" in observations[0]
        assert observations[1] == "1\n"
        assert not truncations.any()
        assert infos["infrastructure_failure"].tolist() == ["no room", None]
    assert len(tries) == 2
    assert envs.step(("echo", "true"))[3].tolist() == [True, False]
    assert envs.step(("echo", "true"))[0][0].startswith("Write a number")
    assert envs.step(("echo me", "true"))[0][0] == "me\n"


def test_any_other_error_is_raised_and_the_siblings_answers_are_kept(make: Make) -> None:
    def reward(context: Any) -> float:
        if context.exit_code == 3:
            raise ZeroDivisionError("in a reward")
        return 1.0

    envs = make(2, reward=reward)
    envs.reset()
    with pytest.raises(ZeroDivisionError) as caught:
        envs.step(("(exit 3)", "echo kept"))
    assert caught.value.__notes__ == ["in environment 0 of the vector"]
    ids, texts, rewards, *_ = envs.recv()
    assert (ids.tolist(), texts, rewards.tolist()) == ([1], ("kept\n",), [1.0])
    assert envs.step(("echo on", "echo on"))[0] == ("on\n", "on\n")


def test_an_interrupt_leaves_all_to_be_gone_on_with_and_closed(make: Make) -> None:
    envs = make(2)
    envs.reset()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            envs.step(("sleep 0.5; echo slow", "echo fast"))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert envs.step_wait()[0] == ("slow\n", "fast\n")
    envs.step_async(("sleep 30", "sleep 30"))
    pids = [pid for number in range(2) for pid in pids_of(envs, number)]
    envs.close()
    assert not any(Path(f"/proc/{pid}/status").exists() for pid in pids)


@pytest.mark.docker
def test_containers_are_stepped_and_replaced_alike(make: Make) -> None:
    envs = make(2, sandbox="docker", autoreset_mode="SameStep")
    envs.reset(seed=0)
    envs.step_async(("sleep 1; echo slow", "echo fast"))
    assert envs.recv()[:2] == (np.array([1]), ("fast\n",))
    assert envs.step_wait()[0] == ("slow\n", "fast\n")
    kill_guest(envs, 0)
    _, _, _, truncations, infos = envs.step(("echo", "echo"))
    assert truncations.tolist() == [True, False]
    assert infos["final_info"]["exit_reason"][0] == "sandbox_error"
    assert envs.step(("echo new", "echo old"))[0] == ("new\n", "old\n")


# Several tasks --------------------------------------------------------------------------------


@pytest.fixture
def two_tasks(tmp_path: Path, lay_number_task: Callable[[Path], Path]) -> list[Path]:
    """The number task, and another one like it that asks for a letter."""
    folders = [lay_number_task(tmp_path / name) for name in ("one", "other")]
    spec = folders[1] / "task.yaml"
    spec.write_text(spec.read_text().replace("Write a number", "Write a figure"))
    return folders


def test_tasks_are_mixed_and_each_reset_plays_the_next(two_tasks: list[Path]) -> None:
    names = [str(task) for task in two_tasks]
    with make_vec(two_tasks, num_envs=2, autoreset_mode="SameStep", sandbox="bubblewrap") as envs:
        texts, infos = envs.reset(seed=0)
        assert [text[8:16] for text in texts] == ["number i", "figure i"]
        assert infos["task"].tolist() == names
        texts, _, _, _, infos = envs.step(("forfeit", "echo on"))
        assert texts[0].startswith("Write a figure")
        assert texts[1] == "on\n"
        assert infos["final_info"]["task"].tolist() == [names[0], None]
        assert infos["task"].tolist() == [names[1]] * 2


def test_a_sampler_is_told_what_the_last_episode_came_to(two_tasks: list[Path]) -> None:
    asked: list[Pick] = []

    def sampler(pick: Pick) -> str:
        asked.append(pick)
        return pick.tasks[0] if pick.ended is None else pick.tasks[1]

    with make_vec(two_tasks, 1, sampler, autoreset_mode="NextStep") as envs:
        envs.reset(seed=0)
        envs.step(("echo 5 > answer.txt",))
        envs.step(("submit",))
        assert envs.step(("",))[4]["task"] == str(two_tasks[1])
    assert (asked[0].ended, asked[0].episode, asked[0].env_id) == (None, 0, 0)
    ended = asked[1].ended
    assert ended is not None
    assert (ended.task, ended.score, ended.total_reward) == (str(two_tasks[0]), 0.4, 0.4)
    assert str(ended.exit_reason) == "submitted"


def test_samplers_pick_in_turn_or_by_weight() -> None:
    def pick(env_id: int, episode: int) -> Pick:
        return Pick(("a", "b", "c"), env_id, episode, None, np.random.default_rng(episode))

    turns = [round_robin(pick(env_id, episode)) for episode in range(2) for env_id in range(3)]
    assert turns == ["a", "b", "c", "b", "c", "a"]
    chosen = [weighted({"a": 1, "c": 3})(pick(0, episode)) for episode in range(200)]
    assert "b" not in chosen
    assert 120 < chosen.count("c") < 180
    with pytest.raises(ConfigError, match="expected one above 0"):
        weighted({})(pick(0, 0))


def test_a_sampler_that_names_no_task_is_refused(two_tasks: list[Path]) -> None:
    with (
        make_vec(two_tasks, 1, lambda _: "another") as envs,
        pytest.raises(ConfigError, match="sampler: found 'another'"),
    ):
        envs.reset()
    with pytest.raises(ConfigError, match="expected at least one"):
        make_vec([])
    with pytest.raises((ConfigError, TaskError)):
        make_vec(["house_price", "house_prise"])
