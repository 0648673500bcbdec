"""What an environment takes of memory: its sandbox's processes, and what this process grows by."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from mlgym.bench.measures import Measure, measure
from mlgym.bench.pinning import pids_of
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import GAME, Setting

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def memory(setting: Setting) -> list[Measure]:
    """With a workspace of a few kB, and with one of 5 MB."""
    return [_memory(setting, "memory", GAME), _memory(setting, "memory_5mb", setting.laden)]


def _memory(setting: Setting, name: str, task: str | Path) -> Measure:
    """Mean of several environments that each have answered a command."""
    count = setting.plan.memory_envs
    with ExitStack() as held:
        # What the first one loads is not an environment's.
        held.enter_context(setting.env(task))
        shell = held.enter_context(ReferenceShell())
        shell.run(b":")
        before = own_size()
        envs = [held.enter_context(setting.env(task)) for _ in range(count)]
        after = own_size()
        inside = [pids_of(env.sandbox) for env in envs]
        sizes = [pss(pids) for pids in inside]
        plain = pss([shell.pid])
    value = None
    detail = "the memory of the sandbox's processes cannot be seen by this user, or from here"
    if before is not None and after is not None and all(inside) and None not in sizes:
        of_sandbox = sum(size for size in sizes if size is not None) / count
        growth = (after - before) / count
        value = of_sandbox + growth
        detail = (
            f"PSS, mean of {count}: {of_sandbox:.2f} in {len(inside[0])} processes of the sandbox,"
            f" {growth:+.2f} in ours; without the files of the workspace, which lie in a tmpfs"
        )
    against = "a plain bash"
    return measure(setting.backend, name, value, plain, unit="MB", against=against, detail=detail)


def own_size() -> float | None:
    """What this process takes, in MB."""
    gc.collect()
    return pss([os.getpid()])


def pss(pids: Iterable[int]) -> float | None:
    """The processes' proportional set size in MB (10^6 bytes): shared pages count by their share.

    Those that ended meanwhile count nothing. None where one may not be looked at.
    """
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            return None
        total += sum(int(found) for found in _PSS.findall(text))
    return total * 1024 / 1e6
