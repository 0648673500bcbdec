"""The vectors that are measured: how one is made and stepped, how many there is room for."""

from __future__ import annotations

import resource
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from mlgym.bench.setting import ECHO, GAME, MANY, Setting
from mlgym.errors import SandboxError
from mlgym.vector import MLGymVectorEnv

_EACH = 16
"""Descriptors: more than an environment and a reference shell hold together."""
_OTHERS = 128


def made(setting: Setting, count: int) -> MLGymVectorEnv:
    """A vector of which nothing is started."""
    return MLGymVectorEnv(GAME, count, sandbox=setting.backend, max_steps=MANY)


def step_all(envs: MLGymVectorEnv) -> None:
    """One step of all. Raises SandboxError where an answer is wrong."""
    if set(envs.step([ECHO] * envs.num_envs)[0]) != {"hi\n"}:
        raise SandboxError(f"`{ECHO}` said something else in the vector")


@contextmanager
def more_descriptors() -> Generator[int]:
    """Let this process open as many files as it may; how many environments that is enough for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield (hard - _OTHERS) // _EACH
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fitting(counts: Iterable[int], room: int) -> list[int]:
    """Those of the numbers of environments that there is room for, ascending."""
    return sorted(count for count in counts if count <= room)
