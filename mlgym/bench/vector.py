"""Many environments as one vector: steps a second, memory, and how long all take to start.

The counterparts: as many reference shells in a selector loop; one environment stepped by itself; as
many environments started one after another.
"""

from __future__ import annotations

import select
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mlgym.bench.measures import MS, Measure, in_turn, measure, quantile, timed
from mlgym.bench.memory import own_size, pss
from mlgym.bench.pinning import pids_of
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import ECHO, GAME, MANY, Setting
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.vector import MLGymVectorEnv

_COLD_STARTS = 4
_ANSWER = b"hi\n"


def vector(setting: Setting) -> list[Measure]:
    """All of a vector's measures."""
    return [*_rates(setting), _start(setting)]


def _made(setting: Setting) -> MLGymVectorEnv:
    count = setting.plan.vector_envs
    return MLGymVectorEnv(GAME, count, sandbox=setting.backend, max_steps=MANY)


def _rates(setting: Setting) -> list[Measure]:
    count, rounds = setting.plan.vector_envs, setting.plan.vector_rounds
    with ExitStack() as held:
        one = held.enter_context(setting.env())
        shells = [held.enter_context(ReferenceShell()) for _ in range(count)]
        selector = held.enter_context(select.epoll())
        by_fd = {shell.fd: shell for shell in shells}
        for fd in by_fd:
            selector.register(fd, select.POLLIN)
        before = own_size()
        envs = held.enter_context(_made(setting))
        envs.reset(seed=0)
        actions = [ECHO] * count

        def step_all() -> None:
            if set(envs.step(actions)[0]) != {_ANSWER.decode()}:
                raise SandboxError(f"`{ECHO}` said something else in the vector")

        def ask_all() -> None:
            for shell in shells:
                shell.begin(ECHO.encode())
            left = count
            while left:
                for fd, _ in selector.poll():
                    said, _ = by_fd[fd].answer()
                    left -= said == _ANSWER

        def step_one() -> None:
            for _ in range(count):
                one.step(ECHO)

        ours, bare = in_turn(timed(step_all), timed(ask_all), rounds)
        mine, alone = in_turn(timed(step_all), timed(step_one), rounds)
        memory = _memory(setting, envs.envs, before)
    return [
        _rate(setting, "vector_steps", ours, bare, f"R, {count} of them in a selector loop"),
        _rate(setting, "vector_gain", mine, alone, "one environment"),
        memory,
    ]


def _rate(
    setting: Setting, name: str, ours: Sequence[float], theirs: Sequence[float], against: str
) -> Measure:
    count = setting.plan.vector_envs
    rates = [count / quantile(seconds, 0.5) for seconds in (ours, theirs)]
    detail = f"median of {len(ours)} rounds of {count} steps"
    return measure(setting.backend, name, *rates, unit="1/s", against=against, detail=detail)


def _memory(setting: Setting, envs: Sequence[MLGymEnv], before: float | None) -> Measure:
    """Of an idle environment, its shell not counted."""
    after = own_size()
    pids = [pid for env in envs for pid in pids_of(env.sandbox)]
    shells = [pid for pid in pids if _name(pid) == "bash"]
    others = pss(set(pids).difference(shells))
    shell = pss(shells)
    value = plain = None
    detail = "the memory of the sandboxes' processes cannot be seen by this user, or from here"
    if None not in (before, after, others, shell) and pids:
        inside, plain = (others or 0) / len(envs), (shell or 0) / len(envs)
        growth = ((after or 0) - (before or 0)) / len(envs)
        value = inside + growth
        detail = f"PSS, mean of {len(envs)}: {inside:.2f} in its sandbox, {growth:+.2f} in ours"
    return measure(
        setting.backend,
        "vector_memory",
        value,
        plain,
        unit="MB",
        against="its shell, not counted",
        detail=detail,
    )


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""


def _start(setting: Setting) -> Measure:
    """From nothing to the last first observation; the ends are not counted."""
    count, times = setting.plan.vector_envs, setting.plan.vector_starts

    def together() -> float:
        began = time.perf_counter()
        with _made(setting) as envs:
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
    return measure(
        setting.backend,
        "vector_start",
        quantile(ours, 0.5) * MS,
        quantile(theirs, 0.5) * MS,
        against=f"{count} x one environment",
        detail=f"median of {times}; one environment: mean of {_COLD_STARTS}",
    )
