"""Many episodes in one process: nothing may grow from an early one to the last.

A reduced form by default; `make test-soak` plays 1,000 episodes on each sandbox.
"""

from __future__ import annotations

import gc
import os
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlgym.env import MLGymEnv

EPISODES = int(os.environ.get("MLGYM_SOAK_EPISODES", "40"))
WARM = min(100, EPISODES // 2)
MEMORY_NOISE = 8 << 20
"""Bytes that an allocator may keep or give back between two looks."""


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds, and what its sandboxes do."""

    memory: int
    descriptors: int
    processes: int
    temporary: int
    control_groups: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * resource.getpagesize(),
            len(list(Path("/proc/self/fd").iterdir())),
            len(list(descendants(os.getpid()))),
            len(list(Path(tempfile.gettempdir()).glob("mlgym-*"))),
            sum(map(is_left, Path("/sys/fs/cgroup").rglob("mlgym-*"))),
        )


def is_left(group: Path) -> bool:
    """Whether a control group holds nobody. Those of other tests, which run beside, do."""
    try:
        return not (group / "cgroup.procs").read_text()
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found


@pytest.mark.timeout(60 + 2 * EPISODES)
def test_nothing_grows_from_episode_to_episode(
    number_task: Path, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its own folder for what is temporary: others' come and go.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
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
    assert last.memory - warm.memory < MEMORY_NOISE
    assert last.descriptors == warm.descriptors
    assert last.processes == warm.processes
    assert last.temporary == warm.temporary
    assert last.control_groups == warm.control_groups
    assert {*descendants(os.getpid())} <= others
