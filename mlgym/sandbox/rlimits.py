"""The resource limits that each of the agent's processes is given, on every backend."""

from __future__ import annotations

import math

from mlgym.sandbox.base import Limits


def rlimits(limits: Limits, *, per_user: bool) -> dict[str, int]:
    """Name of a resource (as `NOFILE`) -> its limit.

    `per_user`: no control group counts the sandbox's processes and memory, but its user is its own.
    """
    wanted = {"NOFILE": limits.open_files, "CPU": None}
    if limits.cpu_s is not None:
        wanted["CPU"] = math.ceil(limits.cpu_s)
    if per_user:
        wanted |= {"NPROC": limits.processes, "DATA": limits.memory_bytes}
    return {"CORE": 0, **{name: value for name, value in wanted.items() if value is not None}}


def rlimit_mechanism() -> dict[str, str]:
    """How the limits that are everywhere alike are held, in words."""
    return {
        "open_files": "RLIMIT_NOFILE, for each process",
        "cpu_s": "RLIMIT_CPU, for each process",
        "output_bytes": "counted as it is read",
        "flood_bytes": "counted as it is read",
    }
