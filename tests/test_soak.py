"""Many episodes in one process: nothing may grow from an early one to the last.

A reduced form by default; `make test-soak` plays 1,000 episodes on each sandbox, and makes 10,000
resets of environments of a vector.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from soaking import Held, Inside, descendants, grown

from mlgym.env import MLGymEnv
from mlgym.vector import MLGymVectorEnv

EPISODES = int(os.environ.get("MLGYM_SOAK_EPISODES", "40"))
WARM = min(100, EPISODES // 2)
RESETS = int(os.environ.get("MLGYM_SOAK_RESETS", "160"))
SHARE = {"bubblewrap": 1, "docker": 8}
"""Of so many resets one is made on that sandbox."""
ENVS = 8


@pytest.mark.usefixtures("own_temporary")
@pytest.mark.timeout(60 + 2 * EPISODES)
def test_nothing_grows_from_episode_to_episode(number_task: Path, backend: str) -> None:
    looks: list[Held] = []
    others = {*descendants(os.getpid())}
    with MLGymEnv(number_task, sandbox=backend) as env:
        for episode in range(EPISODES):
            env.reset(seed=episode)
            env.step(f"echo {episode % 10} > answer.txt")
            env.step("head -c 20000 /dev/zero | tr '\\0' x; cd /tmp; mktemp")
            env.step("sleep 100 >/dev/null 2>&1 &")
            assert env.step("validate")[4]["metrics"] == {"value": float(episode % 10)}
            if episode + 1 in (WARM, EPISODES):
                looks.append(Held.now())
    warm, last = looks
    print(f"\n{backend}: after {WARM} episodes {warm}\n{backend}: after {EPISODES} episodes {last}")
    assert grown(warm, last) == []
    assert {*descendants(os.getpid())} <= others


@pytest.mark.usefixtures("own_temporary")
@pytest.mark.timeout(120 + RESETS)
def test_nothing_grows_from_reset_to_reset_inside_or_outside(
    number_task: Path, backend: str
) -> None:
    rounds = max(4, RESETS // ENVS // SHARE[backend])
    warm = min(20, rounds // 2)
    looks: list[tuple[Held, Inside]] = []
    others = {*descendants(os.getpid())}
    litter = "head -c 30000 /dev/zero > big; mkdir -p a/b /tmp/c; sleep 100 >/dev/null 2>&1 &"
    clean = "/tmp:\n\n/workspace:\nREADME.md\ndata\n\n"
    with MLGymVectorEnv(number_task, ENVS, sandbox=backend) as envs:
        for number in range(rounds):
            texts, _ = envs.reset(seed=number)
            assert all(text.startswith("Write a number") for text in texts)
            found = envs.step(["ls -A /tmp /workspace; echo $A; A=1; " + litter] * ENVS)[0]
            assert all(text.startswith(clean) for text in found)
            if number + 1 in (warm, rounds):
                envs.reset()
                looks.append((Held.now(), Inside.of(envs.envs)))
    for place, count in enumerate((warm, rounds)):
        print(f"\n{backend}: after {count * ENVS} resets {looks[place]}")
    (held, inside), (last_held, last_inside) = looks
    assert grown(held, last_held) == []
    assert last_inside.memory - inside.memory < 0.5 * ENVS
    assert (last_inside.descriptors, last_inside.processes) == (
        inside.descriptors,
        inside.processes,
    )
    assert last_inside.disk == inside.disk
    assert {*descendants(os.getpid())} <= others
