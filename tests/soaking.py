"""What a long run may not pile up: what this process holds, and what its sandboxes do."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlgym.bench.memory import pss
from mlgym.env import MLGymEnv
from mlgym.sandbox.guest_sandbox import GuestSandbox

MEMORY_NOISE = 8 << 20
"""Bytes that an allocator may keep or give back between two looks."""


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds: bytes of memory and of temporary files, the rest are numbers."""

    memory: int
    descriptors: int
    processes: int
    temporary: int
    disk: int
    control_groups: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        temporary = Path(tempfile.gettempdir())
        return cls(
            pages * resource.getpagesize(),
            len(list(Path("/proc/self/fd").iterdir())),
            len(list(descendants(os.getpid()))),
            len(list(temporary.glob("mlgym-*"))),
            sum(_allocated(path) for path in temporary.rglob("*")),
            sum(map(is_left, Path("/sys/fs/cgroup").rglob("mlgym-*"))),
        )


def grown(before: Held, after: Held) -> list[str]:
    """What a run piled up between two looks; empty where nothing did."""
    found = [
        f"{name}: {getattr(before, name)}, then {getattr(after, name)}"
        for name in ("descriptors", "processes", "temporary", "disk", "control_groups")
        if getattr(before, name) != getattr(after, name)
    ]
    if after.memory - before.memory >= MEMORY_NOISE:
        found.append(f"memory: {before.memory}, then {after.memory}")
    return found


@dataclass(frozen=True, slots=True)
class Inside:
    """What sandboxes hold, all together: MB of memory, numbers of the rest.

    `disk` is kB and files used of their writable folders, by whoever.
    """

    memory: float
    descriptors: int
    processes: int
    disk: tuple[int, ...]

    @classmethod
    def of(cls, envs: Sequence[MLGymEnv]) -> Inside:
        """Each asked by a command, so that a sandbox that is reset has begun its episode."""
        used = [
            env.step("df --output=used,iused /workspace /tmp | tail -n +2")[0].split()
            for env in envs
        ]
        pids: list[int] = []
        for env in envs:
            assert isinstance(env.sandbox, GuestSandbox)
            pids += env.sandbox.pids()
        return cls(
            round(pss(pids) or 0.0, 1),
            sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
            len(pids),
            tuple(sum(int(each[place]) for each in used) for place in range(len(used[0]))),
        )


def _allocated(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_blocks * 512
    return 0


def is_left(group: Path) -> bool:
    """Whether a control group holds nobody. Those of other tests, which run beside, do."""
    try:
        return not (group / "cgroup.procs").read_text()
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            found += map(int, listed.read_text().split())
    return found
