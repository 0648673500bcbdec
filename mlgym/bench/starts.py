"""From nothing to a first answer: a new environment, and one that is reset in place.

The counterpart is what one would do by hand. On bubblewrap and others: `cp` the workspace to a
fresh folder and start a plain bash there. On docker: create and start a container with the same
options, and let a bash in it answer.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from mlgym.bench.containers import CopiedContainer
from mlgym.bench.measures import MS, Measure, Timed, compared, in_turn, quantile, timed
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import ECHO, Setting, answer
from mlgym.errors import SandboxError

COPY = "cp + plain bash"
CREATE = "create + start"


def starts(setting: Setting) -> list[Measure]:
    """A cold start, and a reset in place, each with the first `echo hi`."""
    if setting.backend == "docker":
        return _beside_a_container(setting)
    by_hand = _copy_and_bash(setting.workspace)
    cold = in_turn(_cold(setting), by_hand, setting.plan.cold_starts)
    with setting.env(setting.laden) as env:
        warm = in_turn(timed(lambda: answer(env)), by_hand, setting.plan.resets)
    return [
        compared(setting.backend, "cold_start", cold, against=COPY),
        compared(setting.backend, "reset", warm, against=COPY),
    ]


def _beside_a_container(setting: Setting) -> list[Measure]:
    plan = setting.plan
    with setting.env(setting.laden) as env, CopiedContainer() as container:
        cold = in_turn(_cold(setting), container.time_answer, plan.cold_starts)
        warm = in_turn(timed(lambda: answer(env)), container.time_answer, plan.cold_starts)
        _, copied = in_turn(
            timed(lambda: answer(env)), _copy_and_bash(setting.workspace), plan.cold_starts
        )
    beside = f"{COPY} took {quantile(copied, 0.5) * MS:.1f} ms"
    return [
        compared(setting.backend, "cold_start", cold, against=CREATE, detail=beside),
        compared(setting.backend, "reset", warm, against=CREATE, detail=beside),
    ]


def _cold(setting: Setting) -> Timed:
    """Construction, reset, first answer; not the end of it."""

    def once() -> float:
        began = time.perf_counter()
        env = setting.cold_env(setting.laden)
        try:
            answer(env)
            return time.perf_counter() - began
        finally:
            env.close()

    return once


def _copy_and_bash(workspace: Path) -> Timed:
    """A fresh folder, `cp`, a plain bash in it, its first answer; not the removal."""

    def once() -> float:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as fresh:
            subprocess.run(["cp", "-R", f"{workspace}/.", fresh], check=True)
            with ReferenceShell(Path(fresh)) as shell:
                said, _ = shell.run(ECHO.encode())
                took = time.perf_counter() - began
            if said != b"hi\n":
                raise SandboxError(f"the reference shell said {said!r:.200}")
        return took

    return once
