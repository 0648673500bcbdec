"""Environments with spare sandboxes: nothing is told apart from one that resets in place."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.vector import MLGymVectorEnv

ACTIONS = (
    "pwd; ls -la --time-style=+%s; ls -lau /tmp; umask; ulimit -a; nproc; env | sort; whoami",
    "A=1; cd /tmp; echo 7 > /workspace/answer.txt; sleep 1000 >/dev/null 2>&1 & sleep 0.1",
    "open README.md",
    "echo $A $OLDPWD $_; jobs; chmod 000 /tmp",
)


def until_ready(env: MLGymEnv | MLGymVectorEnv, spares: int = 1) -> None:
    pools = env._pools if isinstance(env, MLGymVectorEnv) else env.laboratory.pools
    deadline = time.monotonic() + 20
    while pools.counts.ready < spares:
        assert time.monotonic() < deadline, "no spare sandbox was made ready"
        time.sleep(0.005)


def played(env: MLGymEnv, episodes: int) -> list[Any]:
    told: list[Any] = []
    for number in range(episodes):
        if env.laboratory.pools.spares and number:
            until_ready(env)
        told.append(env.reset(seed=number))
        told += [env.step(action) for action in ACTIONS]
    return [*told, env.step("submit")]


def step_often(env: MLGymEnv) -> None:
    for _ in range(1000):
        env.step("true")


def pids(env: MLGymEnv) -> list[int]:
    assert isinstance(env.sandbox, GuestSandbox)
    return env.sandbox.pids()


def test_an_agent_cannot_tell_whether_there_is_a_pool(number_task: Path) -> None:
    with MLGymEnv(number_task) as plain, MLGymEnv(number_task, pool=1) as pooled:
        assert played(pooled, 3) == played(plain, 3)
        counts = pooled.laboratory.pools.counts
        assert (counts.started, counts.replaced, counts.missed) == (2, 0, 0)
        held = pids(pooled)
    assert not [thread for thread in threading.enumerate() if thread.name == "mlgym-pool"]
    assert not [pid for pid in held if Path(f"/proc/{pid}").exists()]


def test_episodes_alternate_between_sandboxes_and_can_be_restored_in_any(
    number_task: Path, backend: str
) -> None:
    with MLGymEnv(number_task, sandbox=backend, pool=1) as env:
        env.reset(seed=0)
        env.step("A=kept; echo 5 > answer.txt; cd /tmp")
        first = env.sandbox
        until_ready(env)
        with env.snapshot() as snapshot:
            env.reset(seed=1)
            assert env.sandbox is not first
            assert env.step("echo $A; ls; pwd")[0] == "\nREADME.md\ndata\n/workspace\n"
            env.restore(snapshot)
            assert env.step("echo $A; cat /workspace/answer.txt; pwd")[0] == "kept\n5\n/tmp\n"
        until_ready(env)
        env.reset(seed=2)
        assert env.sandbox is first
        assert env.step("echo $A; ls; pwd")[0] == "\nREADME.md\ndata\n/workspace\n"


def test_an_episode_whose_sandbox_dies_is_void_and_the_next_one_is_not(number_task: Path) -> None:
    with MLGymEnv(number_task, pool=1) as env:
        env.reset()
        until_ready(env)
        os.kill(pids(env)[-2], signal.SIGKILL)
        with pytest.raises(SandboxError):
            step_often(env)
        env.reset()
        assert env.step("echo hi")[0] == "hi\n"
        env.close()
        env.reset()
        assert env.step("echo again")[0] == "again\n"


def test_a_vector_shares_one_pool_and_tells_what_one_without_does(
    number_task: Path,
) -> None:
    told: list[list[Any]] = []
    for pool in (0, 2):
        envs = MLGymVectorEnv(number_task, 3, pool=pool, max_steps=2, autoreset_mode="SameStep")
        with envs:
            said = [envs.reset(seed=0)[0]]
            for action in ("echo 1 > here", "ls", "echo 2 > here; ls", "ls", "pwd"):
                if pool:
                    until_ready(envs, pool)
                said.append(envs.step([action] * 3)[0])
            told.append(said)
            counts = envs._pools.counts
            boxes = {id(env.laboratory._pool) for env in envs.envs}
    assert told[0] == told[1]
    assert len(boxes) == 1
    # Three came at once to two spares, twice: who found none may have.
    assert (counts.started, counts.replaced) == (5, 0)
    assert counts.missed <= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "mlgym-pool"]


def test_a_change_of_task_takes_a_spare_where_one_was_left(
    tmp_path: Path, lay_number_task: Callable[[Path], Path]
) -> None:
    tasks = [str(lay_number_task(tmp_path / name)) for name in ("one", "two")]
    path = Path(tasks[1]) / "task.yaml"
    path.write_text(path.read_text().replace("id: number", "id: another"))
    path.parent.rename(path.parent.with_name("another"))
    tasks[1] = str(path.parent.with_name("another"))
    with MLGymVectorEnv(tasks, 1, pool=1) as envs:
        for ready in (1, 2, 2):
            spares = [box for _, _, pool in envs._pools._made for box in pool._clean]
            envs.reset(seed=0)
            until_ready(envs, ready)
            assert envs.step(["ls"])[0] == ("README.md\ndata\n",)
        assert envs.envs[0].sandbox in spares


def test_gymnasium_passes_it_on_and_a_bad_number_is_refused(number_task: Path) -> None:
    env = gym.make("mlgym/battle_of_sexes-v1", pool=2)
    assert isinstance(env.unwrapped, MLGymEnv)
    assert env.unwrapped.laboratory.pools.spares == 2
    env.close()
    envs = gym.make_vec("mlgym/battle_of_sexes-v1", num_envs=2, pool=1)
    assert isinstance(envs, MLGymVectorEnv)
    assert {id(env.laboratory.pools) for env in envs.envs} == {id(envs._pools)}
    envs.close()
    with pytest.raises(ConfigError, match="pool: found -1"):
        MLGymEnv(number_task, pool=-1)
    with pytest.raises(ConfigError, match="pool: found -1"):
        MLGymVectorEnv(number_task, 2, pool=-1)
