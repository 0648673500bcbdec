"""Control groups (v2), where some are delegated to us: limits for a sandbox as a whole.

Nothing is taken that was not given. A group is ours to divide where `MLGYM_CGROUP` names it, or
where this process is alone in it (as in `systemd-run --user --scope -p Delegate=yes`): then the
process moves into a leaf `mlgym-main`, because a group that holds processes cannot limit its
children. The files and their values are those of the kernel's `cgroup-v2` documentation.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from mlgym.sandbox.base import Limits
from mlgym.sandbox.waiting import pause

NEEDED = ("memory", "pids")
_OPTIONAL = ("cpu",)
_LEAF = "mlgym-main"
_PERIOD_US = 100_000
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class Group:
    """One sandbox's control group, and which limits it holds: field of `Limits` -> how."""

    path: Path
    mechanism: dict[str, str]

    def add(self, pid: int) -> None:
        """Move a process in; what it starts from then on is in too. Raises OSError."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Remove the group, once its last process is gone. Never raises."""
        deadline = time.monotonic() + _END_S
        while self.path.is_dir() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            pause(0.005)


def make_group(parent: Path, name: str, limits: Limits) -> Group:
    """A group below `parent` with these limits. Raises OSError where the kernel refuses."""
    path = parent / name
    path.mkdir(exist_ok=True)  # one of that name was a dead owner's
    wanted: dict[str, dict[str, str]] = {}
    if limits.memory_bytes is not None:
        wanted["memory_bytes"] = {"memory.max": str(limits.memory_bytes), "memory.swap.max": "0"}
    if limits.processes is not None:
        wanted["processes"] = {"pids.max": str(limits.processes)}
    if limits.cpus is not None and (path / "cpu.max").exists():
        wanted["cpus"] = {"cpu.max": f"{int(limits.cpus * _PERIOD_US)} {_PERIOD_US}"}
    mechanism: dict[str, str] = {}
    for field, files in wanted.items():
        for file, value in files.items():
            # A kernel without swap accounting has no such file, and no swap to limit.
            if file != "memory.swap.max" or (path / file).exists():
                (path / file).write_text(value)
        mechanism[field] = f"cgroup v2 {next(iter(files))}, for the whole sandbox"
    return Group(path, mechanism)


def delegated() -> tuple[Path | None, str]:
    """The group below which sandboxes may have theirs, or None and why there is none."""
    named = os.environ.get("MLGYM_CGROUP")
    if named:
        return _divided(Path(named))
    mount, own = _mounted(), _own_path()
    if mount is None or own is None:
        return None, "no cgroup v2 hierarchy is mounted"
    group = mount / own.lstrip("/")
    if group.name == _LEAF:
        return _divided(group.parent)
    if not os.access(group / "cgroup.subtree_control", os.W_OK):
        return None, f"{group} is not delegated to this user"
    missing = _missing(group)
    if missing:
        return None, missing
    try:
        if _processes(group) != [os.getpid()]:
            return None, f"other processes are in {group}, which so cannot be divided"
        (group / _LEAF).mkdir(exist_ok=True)
        (group / _LEAF / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        return None, f"{group} cannot be divided: {error.strerror}"
    return _divided(group)


def _divided(group: Path) -> tuple[Path | None, str]:
    """The group with its controllers switched on for its children."""
    missing = _missing(group)
    if missing:
        return None, missing
    try:
        control = group / "cgroup.subtree_control"
        there = control.read_text().split()
        for name in _controllers(group):
            if name not in there:
                control.write_text(f"+{name}")
    except OSError as error:
        return None, f"{group} cannot be divided: {error.strerror}"
    return group, ""


def _controllers(group: Path) -> list[str]:
    try:
        there = (group / "cgroup.controllers").read_text().split()
    except OSError:
        return []
    return [name for name in (*NEEDED, *_OPTIONAL) if name in there]


def _missing(group: Path) -> str:
    missing = [name for name in NEEDED if name not in _controllers(group)]
    return f"{group} offers no controller {' and '.join(missing)}" if missing else ""


def _processes(group: Path) -> list[int]:
    return [int(line) for line in (group / "cgroup.procs").read_text().split()]


def _mounted() -> Path | None:
    """Where the v2 hierarchy is mounted."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                return Path(left.split()[4])
    return None


def _own_path() -> str | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:]
    return None
