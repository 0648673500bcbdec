"""Many environments as one vector: steps and resets a second, memory, how long all take to start.

The counterparts: as many reference shells in a selector loop; one environment by itself; as many
environments started one after another.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from mlgym.bench.measures import MS, Measure, in_turn, measure, quantile, timed
from mlgym.bench.memory import own_size, pss
from mlgym.bench.pinning import pids_of
from mlgym.bench.setting import ECHO, GAME, Setting
from mlgym.bench.shells import ShellLoop
from mlgym.bench.vectors import made, step_all
from mlgym.env import MLGymEnv

_COLD_STARTS = 4


def vector(setting: Setting) -> list[Measure]:
    """The vector of `plan.vector_envs` while it runs."""
    count, rounds = setting.plan.vector_envs, setting.plan.vector_rounds
    with ExitStack() as held:
        one = held.enter_context(setting.env())
        shells = held.enter_context(ShellLoop(count))
        memory = memory_of(setting, "vector_memory")
        envs = held.enter_context(made(setting, count))
        envs.reset(seed=0)

        def step_one() -> None:
            for _ in range(count):
                one.step(ECHO)

        def reset_one() -> None:
            for _ in range(count):
                one.reset()

        steps = timed(lambda: step_all(envs))
        ours, bare = in_turn(steps, timed(shells.ask_all), rounds)
        mine, alone = in_turn(steps, timed(step_one), rounds)
        again, anew = in_turn(timed(envs.reset), timed(reset_one), setting.plan.vector_resets)
        step_all(envs)
        taken = memory(envs.envs)
    against = f"R, {count} of them in a selector loop"
    return [
        rate(setting, "vector_steps", count, ours, bare, against),
        rate(setting, "vector_gain", count, mine, alone, "one environment"),
        rate(setting, "vector_resets", count, again, anew, "one environment", "resets in place"),
        taken,
    ]


def rate(
    setting: Setting,
    name: str,
    count: int,
    ours: Sequence[float],
    theirs: Sequence[float],
    against: str,
    what: str = "steps",
) -> Measure:
    """How many a second, where `count` took so many seconds each time."""
    rates = [count / quantile(seconds, 0.5) for seconds in (ours, theirs)]
    detail = f"median of {len(ours)} rounds of {count} {what}"
    return measure(setting.backend, name, *rates, unit="1/s", against=against, detail=detail)


def memory_of(setting: Setting, name: str) -> Callable[[Sequence[MLGymEnv]], Measure]:
    """Call it before the environments are made, and what it returns with them.

    Of an idle environment, its shell not counted.
    """
    before = own_size()

    def told(envs: Sequence[MLGymEnv]) -> Measure:
        after = own_size()
        pids = [pid for env in envs for pid in pids_of(env.sandbox)]
        shells = [pid for pid in pids if _name(pid) == "bash"]
        others, shell = pss(set(pids).difference(shells)), pss(shells)
        value = plain = None
        detail = "the memory of the sandboxes' processes cannot be seen by this user, or from here"
        if None not in (before, after, others, shell) and pids:
            inside, plain = (others or 0) / len(envs), (shell or 0) / len(envs)
            growth = ((after or 0) - (before or 0)) / len(envs)
            value = inside + growth
            detail = f"PSS, mean of {len(envs)}: {inside:.2f} in its sandbox, {growth:+.2f} in ours"
        against = "its shell, not counted"
        return measure(
            setting.backend, name, value, plain, unit="MB", against=against, detail=detail
        )

    return told


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""


def vector_start(setting: Setting) -> list[Measure]:
    """From nothing to the last first observation; the ends are not counted."""
    count, times = setting.plan.vector_envs, setting.plan.vector_starts

    def together() -> float:
        began = time.perf_counter()
        with made(setting, count) as envs:
            envs.reset(seed=0)
            return time.perf_counter() - began

    def one_by_one() -> float:
        took: list[float] = []
        for _ in range(_COLD_STARTS):
            began = time.perf_counter()
            with setting.cold_env(GAME) as env:
                env.reset(seed=0)
                took.append(time.perf_counter() - began)
        return count * statistics.mean(took)

    ours, theirs = in_turn(together, one_by_one, times)
    return [
        measure(
            setting.backend,
            "vector_start",
            quantile(ours, 0.5) * MS,
            quantile(theirs, 0.5) * MS,
            against=f"{count} x one environment",
            detail=f"median of {times}; one environment: mean of {_COLD_STARTS}",
        )
    ]
