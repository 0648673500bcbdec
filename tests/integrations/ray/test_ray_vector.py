"""A vector in Ray actors on two nodes: step by step like one in this process; some die."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alike import ACTIONS, same
from gymnasium.error import AlreadyPendingCallError, ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode

import mlgym
from mlgym.distributed import RayVectorEnv
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.vector import MLGymVectorEnv

MODES = list(AutoresetMode)
Make = Callable[..., RayVectorEnv]


@pytest.fixture
def make(cluster: Any, number_task: Path) -> Iterator[Make]:
    """Makes vectors of the number task in two actors, and closes them."""
    made: list[RayVectorEnv] = []

    def make_one(num_envs: int = 3, **kwargs: Any) -> RayVectorEnv:
        kwargs = {"num_actors": 2, "cpus_per_actor": 0.4, **kwargs}
        made.append(RayVectorEnv(kwargs.pop("task", number_task), num_envs, **kwargs))
        return made[-1]

    yield make_one
    for envs in made:
        envs.close()


@pytest.mark.parametrize("mode", MODES)
def test_every_step_equals_that_of_the_vector_in_one_process(
    make: Make, number_task: Path, mode: AutoresetMode
) -> None:
    chance = np.random.default_rng(MODES.index(mode))
    far = make(3, autoreset_mode=mode, max_steps=6)
    with MLGymVectorEnv(number_task, 3, autoreset_mode=mode, max_steps=6) as near:
        assert far.action_space == near.action_space
        assert far.observation_space == near.observation_space
        assert far.metadata == near.metadata
        same(far.reset(seed=7), near.reset(seed=7))
        same(far.np_random_seed, near.np_random_seed)
        ends = 0
        for _ in range(20):
            actions = tuple(ACTIONS[index] for index in chance.integers(len(ACTIONS), size=3))
            ours, theirs = far.step(actions), near.step(actions)
            same(ours, theirs)
            over = ours[2] | ours[3]
            ends += int(over.sum())
            if mode is AutoresetMode.DISABLED and over.any():
                mask = {"reset_mask": over}
                same(far.reset(options=dict(mask)), near.reset(options=dict(mask)))
        assert ends > 3


def test_masks_attributes_and_calls_out_of_turn_are_as_in_one_process(
    make: Make, number_task: Path
) -> None:
    far = make(3)
    with MLGymVectorEnv(number_task, 3) as near:
        for envs in (far, near):
            with pytest.raises(ResetNeeded, match="never reset"):
                envs.reset(seed=[5, None, 6], options={"reset_mask": np.array([1, 0, 1], bool)})
            envs.reset(seed=4)
            envs.set_attr("max_steps", [3, 4, 5])
            envs.set_attr("mood", "good")
            with pytest.raises(ValueError, match="found 1, expected 3"):
                envs.set_attr("mood", ["bad"])
        mask = np.array([False, True, False])
        same(far.step(("", "forfeit", ""), mask), near.step(("", "forfeit", ""), mask))
        for name in ("max_steps", "mood", "render", "np_random_seed", "step_count"):
            same(far.get_attr(name), near.get_attr(name))
        same(far.render(), near.render())
        for envs in (far, near):
            with pytest.raises(ResetNeeded, match=r"\[1\] are over"):
                envs.step(("true",) * 3)
            envs.send(["sleep 0.3"], [2])
            with pytest.raises(AlreadyPendingCallError):
                envs.reset()
            with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
                envs.recv(timeout=0.05)
        same(far.recv(), near.recv())
        far.step_async(("sleep 30",) * 3, np.array([True, False, True]))
        far.close()  # with steps under way
        with pytest.raises(ClosedEnvironmentError):
            far.reset()


def test_a_slow_command_holds_up_nobody_else_not_even_in_its_actor(make: Make) -> None:
    envs = make(4, max_steps=10_000)
    envs.reset()
    envs.step_async(("sleep 2; echo slow", "echo 1", "echo 2", "echo 3"))
    began = time.monotonic()
    steps = {1: 0, 2: 0, 3: 0}
    while time.monotonic() - began < 1.5:
        ids, texts, *_ = envs.recv()
        for number, text in zip(ids.tolist(), texts, strict=True):
            steps[number] += 1
            assert text == f"{number}\n"
        envs.send([f"echo {number}" for number in ids], ids)
    assert min(steps.values()) >= 3
    assert envs.recv(min_ready=4)[1][0] == "slow\n"


def test_what_an_environment_raises_is_raised_here_and_the_other_answers_are_kept(
    make: Make,
) -> None:
    def reward(context: Any) -> float:
        if context.exit_code == 3:
            raise ZeroDivisionError("in a reward")
        return 1.0

    envs = make(2, reward=reward)
    envs.reset()
    with pytest.raises(ZeroDivisionError, match="in a reward") as caught:
        envs.step(("(exit 3)", "echo kept"))
    assert caught.value.__notes__[-1] == "in environment 0 of the vector"
    ids, texts, rewards, *_ = envs.recv()
    assert (ids.tolist(), texts, rewards.tolist()) == ([1], ("kept\n",), [1.0])
    with pytest.raises((ConfigError, TaskError)):
        make(2, task="house_prise")
    with pytest.raises(ConfigError, match="max_steps is 0"):
        make(2, max_steps=0)


def test_whole_episodes_come_out_of_it_and_tasks_are_mixed(make: Make) -> None:
    envs = make(3, task=["battle_of_sexes", "blotto"])

    def policy(texts: Sequence[str], ids: object) -> list[str]:
        return ["forfeit"] * len(texts)

    found = list(mlgym.rollouts(policy, envs, 5, seed=0))
    assert [step.terminated for step in found] == [True] * 5
    assert {step.info["task"] for step in found} == {"battle_of_sexes", "blotto"}


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_node_voids_its_own_episodes_and_the_others_go_on(
    make: Make,
    add_node: Callable[[], Any],
    kill_node: Callable[[Any], None],
    mode: AutoresetMode,
) -> None:
    node = add_node()
    envs = make(6, num_actors=3, cpus_per_actor=1, autoreset_mode=mode, sandbox="bubblewrap")
    envs.reset(seed=3)
    envs.step(tuple(f"A={number}" for number in range(6)))
    envs.send(["sleep 1; echo $A"] * 6, range(6))
    kill_node(node)
    # A new machine, on which the lost actor may be had again.
    add_node()
    observations, rewards, terminations, truncations, infos = envs.step_wait()
    lost = truncations
    assert lost.sum() == 2, "one actor's share"
    assert not terminations.any()
    assert rewards.tolist() == [0] * 6
    last = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
    assert last["_infrastructure_failure"].tolist() == lost.tolist()
    for number in np.flatnonzero(lost):
        assert "lost" in last["infrastructure_failure"][number]
        assert last["exit_reason"][number] == "sandbox_error"
    assert [observations[number] for number in np.flatnonzero(~lost)] == [
        f"{number}\n" for number in np.flatnonzero(~lost)
    ]
    if mode is AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": lost})
    if mode is AutoresetMode.NEXT_STEP:
        envs.step(("true",) * 6)
    observations, _, _, truncations, infos = envs.step(("echo $A$A",) * 6)
    assert observations == tuple(
        "\n" if gone else f"{number}{number}\n" for number, gone in enumerate(lost)
    )
    assert not truncations.any()
    assert "infrastructure_failure" not in infos


def test_an_actor_without_a_place_is_told_of_in_time(make: Make) -> None:
    with pytest.raises(SandboxError, match=r"was not given its place \(50 CPUs"):
        make(2, num_actors=1, cpus_per_actor=50, start_timeout_s=0.5)
    with pytest.raises(ConfigError, match="num_actors: found 3, expected 1 to 2"):
        make(2, num_actors=3)
