"""A vector whose sandboxes are killed at random: every loss is told, and no sibling feels it.

Each shell counts its own commands, so that a state which was lost or mixed up shows in its answer.
A reduced form by default; `make test-soak-vector` steps 256 environments for ten minutes.
"""

from __future__ import annotations

import os
import random
import resource
from pathlib import Path

import pytest
from fleet import Fleet, Killer
from preparing import rewrite
from soaking import Held, descendants, grown

from mlgym.sandbox.slots import start_time
from mlgym.vector import MLGymVectorEnv

ENVS = int(os.environ.get("MLGYM_SOAK_ENVS", "16"))
SECONDS = float(os.environ.get("MLGYM_SOAK_SECONDS", "3"))
SEED = int(os.environ.get("MLGYM_SOAK_SEED", "0")) or random.randrange(1, 10**6)
KILLS_PER_S = 6.0 if ENVS < 64 else 3.0
"""On average."""
PAUSE = 0.02 if ENVS < 64 else 0.0
"""Seconds between two looks: the reduced form leaves the machine to the tests beside it."""
DESCRIPTORS = 20
"""More than an environment holds, its grader's included."""


def room_for(descriptors: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= descriptors, f"ulimit -Hn is {hard}, {descriptors} are wanted"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, descriptors), hard))


def is_alive(pid: int, began: str | None) -> bool:
    return began is not None and start_time(pid) == began and not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.usefixtures("own_temporary")
@pytest.mark.timeout(240 + 2 * SECONDS)
def test_random_kills_are_told_each_and_disturb_nobody_else(number_task: Path) -> None:
    room_for(ENVS * DESCRIPTORS + 256)
    # Its minute is for other tests: here no episode may end but by its own action or by a loss.
    rewrite(number_task, "task.yaml", "wall_s: 60", f"wall_s: {86400 + SECONDS}")
    print(f"\nMLGYM_SOAK_SEED={SEED}: {ENVS} environments for {SECONDS:g} s")
    others = {*descendants(os.getpid())}
    looks: list[Held] = []
    with MLGymVectorEnv(number_task, ENVS, sandbox="bubblewrap", max_steps=10**9) as envs:
        fleet = Fleet(envs, random.Random(SEED), PAUSE)
        fleet.begin(SEED)
        for share, number in ((0.2, 1), (0.8, 2)):
            with Killer(fleet, random.Random(SEED + number), KILLS_PER_S):
                fleet.play(SECONDS * share)
            fleet.settle()
            looks.append(Held.now())
            print(f"{dict(sorted(fleet.tally.items()))}\n{looks[-1]}", flush=True)
        fleet.close()
    assert fleet.wrong == []
    tally = fleet.tally
    assert tally["answers"] > SECONDS
    assert tally["guests killed"] == tally["losses told"] + tally["guests gone unused"] > 0
    assert tally["shells killed"] == tally["new shells told"] + tally["shells gone unused"]
    assert {*descendants(os.getpid())} <= others
    assert not [guest for guest in fleet.guests if is_alive(*guest)]
    assert [line for line in grown(*looks) if not line.startswith("processes")] == []
