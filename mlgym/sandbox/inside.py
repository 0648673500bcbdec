"""What lies where inside a sandbox, on every backend, and what the agent's processes are told."""

from __future__ import annotations

import os
from pathlib import Path

from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.laid import laid_folder

Mounts = tuple[tuple[Path, str], ...]

GUEST_INSIDE = "/run/mlgym/guest"
STARTER_INSIDE = "/run/mlgym/workspace"
"""The starter files, read-only: from here the guest lays the workspace."""
GUEST_COMMAND = (
    "-I",
    "-S",
    "-c",
    "import sys; sys.path.insert(0, '/run/mlgym'); from guest.server import main; main()",
)
"""Arguments for `python3` to start the guest, its folder being at `GUEST_INSIDE`."""
SHARES = {"/workspace": 0.5, "/tmp": 0.25, "/home/agent": 0.125, "/dev/shm": 0.125}
"""The folders an agent can write to, and each one's share of the disk. They are memory, so that
together they may not take more than the whole."""
WRITABLE = tuple(SHARES)
"""Wiped at every reset."""
WORKSPACE = "/workspace"
PATH = "/opt/env/bin:/opt/mlgym/bin:/usr/local/bin:/usr/bin:/bin"


def all_mounts(spec: SandboxSpec) -> Mounts:
    """What every sandbox mounts read-only, and what this one does besides."""
    ours = ((guest_folder(), GUEST_INSIDE), (spec.workspace, STARTER_INSIDE))
    return (*ours, *spec.mounts)


def guest_folder() -> Path:
    """The guest, to be mounted at `GUEST_INSIDE`: compiled, because every cold start imports it."""
    source = Path(__file__).parent / "guest"
    files = {path.name: path.read_bytes() for path in source.glob("*.py")}
    return laid_folder("guest", files, compiled=True)


def disk_sizes(disk_bytes: int | None) -> dict[str, int]:
    """How large each writable folder may grow, in bytes; as good as endless without a limit."""
    return {folder: int((disk_bytes or 1 << 40) * share) for folder, share in SHARES.items()}


def disk_mechanism() -> str:
    """How `disk_bytes` is held, in words."""
    parts = ", ".join(f"{share:.1%} in {folder}" for folder, share in SHARES.items())
    return f"sized tmpfs: {parts}"


def agent_environment(cpus: float | None) -> dict[str, str]:
    """The whole environment of the agent's processes: nothing of the host's."""
    threads = str(max(1, round(cpus or os.cpu_count() or 1)))
    return {
        "PATH": PATH,
        "HOME": "/home/agent",
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
