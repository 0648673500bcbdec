"""Keeps what is compared on one core, so that a message from one to the other costs both the same.

Between two cores of a virtual machine a wake-up may cost several times what it costs on one.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from mlgym.errors import ConfigError
from mlgym.sandbox.base import Sandbox
from mlgym.sandbox.guest_sandbox import GuestSandbox


@contextmanager
def on_core(wanted: int | None) -> Generator[int]:
    """Bind this thread, and all that it starts, to one core: `wanted`, or the last it may use.

    Gives the core's number. Raises ConfigError where this process may not use that core.
    """
    before = os.sched_getaffinity(0)
    core = max(before) if wanted is None else wanted
    if core not in before:
        cores = ", ".join(map(str, sorted(before)))
        raise ConfigError(f"--core: found {core}, expected a core of this process's: {cores}")
    with _bound([core]):
        yield core


@contextmanager
def on_cores(count: int) -> Generator[list[int]]:
    """Bind this thread, and all that it starts, to its last `count` cores; gives their numbers."""
    with _bound(sorted(os.sched_getaffinity(0))[-count:]) as cores:
        yield cores


@contextmanager
def _bound(cores: list[int]) -> Generator[list[int]]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, before)


def pin(pids: Iterable[int], core: int) -> bool:
    """Bind processes to a core; whether there were any and all that still live are bound now."""
    bound = False
    for pid in pids:
        try:
            os.sched_setaffinity(pid, {core})
            bound = True
        except ProcessLookupError:
            continue
        except PermissionError:
            return False
    return bound


def pids_of(sandbox: Sandbox) -> list[int]:
    """A sandbox's processes as pids of this host, empty where they cannot be seen."""
    return sandbox.pids() if isinstance(sandbox, GuestSandbox) else []
