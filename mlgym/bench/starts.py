"""From nothing to a first answer: a new environment, one that is reset in place, one with a pool.

The counterpart is what one would do by hand. On bubblewrap and others: `cp` the workspace to a
fresh folder and start a plain bash there. On docker: create and start a container with the same
options, and let a bash in it answer.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

from mlgym.bench.containers import CopiedContainer
from mlgym.bench.measures import MS, Measure, Timed, compared, in_turn, quantile, timed
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import ECHO, MANY, Setting, answer
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError

COPY = "cp + plain bash"
CREATE = "create + start"
_MEANWHILE = "sleep 0.01"
_READY_S = 30.0


def starts(setting: Setting) -> list[Measure]:
    """A cold start, a reset in place, and one from a pool, each with the first `echo hi`."""
    if setting.backend == "docker":
        return [*_beside_a_container(setting), _pooled(setting)]
    by_hand = _copy_and_bash(setting.workspace)
    cold = in_turn(_cold(setting), by_hand, setting.plan.cold_starts)
    with setting.env(setting.laden) as env:
        warm = in_turn(timed(lambda: answer(env)), by_hand, setting.plan.resets)
    return [
        compared(setting.backend, "cold_start", cold, against=COPY),
        compared(setting.backend, "reset", warm, against=COPY),
        _pooled(setting),
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


def _pooled(setting: Setting) -> Measure:
    """A reset that takes a spare sandbox; the one given back is cleaned while steps are run.

    Those steps are not counted, and nothing else is timed meanwhile: so neither is disturbed.
    """
    cleaning: list[float] = []
    pooled = MLGymEnv(setting.laden, sandbox=setting.backend, max_steps=MANY, pool=1)
    with closing(pooled) as env:
        answer(env)
        _until_ready(env)

        def once() -> float:
            began = time.perf_counter()
            answer(env)
            took = time.perf_counter() - began
            _until_ready(env)
            cleaning.append(time.perf_counter() - began - took)
            return took

        seconds = in_turn(once, _copy_and_bash(setting.workspace), setting.plan.resets)
        missed = env.laboratory.pools.counts.missed
    if missed:
        raise SandboxError(f"{missed} resets found no spare sandbox")
    meanwhile = f"the other is clean after {statistics.median(cleaning) * MS:.0f} ms of steps"
    return compared(setting.backend, "reset_pooled", seconds, against=COPY, detail=meanwhile)


def _until_ready(env: MLGymEnv) -> None:
    """Step until the spare sandbox is clean. Raises SandboxError where it never is."""
    deadline = time.monotonic() + _READY_S
    while not env.laboratory.pools.counts.ready:
        if time.monotonic() > deadline:
            raise SandboxError(f"no spare sandbox was ready within {_READY_S:g} s")
        env.step(_MEANWHILE)


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
