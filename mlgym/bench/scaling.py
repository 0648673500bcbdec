"""How a vector's steps a second, and what an environment takes of memory, go with their number."""

from __future__ import annotations

from contextlib import ExitStack

from mlgym.bench.measures import Measure, in_turn, timed
from mlgym.bench.setting import Setting
from mlgym.bench.shells import ShellLoop
from mlgym.bench.vector import memory_of, rate
from mlgym.bench.vectors import fitting, made, more_descriptors, step_all

_LEAST = 4
"""Rounds of the largest."""


def scaling(setting: Setting) -> list[Measure]:
    """`vector_steps_N` and `vector_memory_N` for each N of the plan that there is room for."""
    found: list[Measure] = []
    with more_descriptors() as room:
        for count in fitting(setting.plan.vector_counts, room):
            found += _of(setting, count)
    return found


def _of(setting: Setting, count: int) -> list[Measure]:
    rounds = max(_LEAST, setting.plan.vector_steps // count)
    with ExitStack() as held:
        shells = held.enter_context(ShellLoop(count))
        memory = memory_of(setting, f"vector_memory_{count}")
        envs = held.enter_context(made(setting, count))
        envs.reset(seed=0)
        ours, bare = in_turn(timed(lambda: step_all(envs)), timed(shells.ask_all), rounds)
        taken = memory(envs.envs)
    against = f"R, {count} of them in a selector loop"
    return [rate(setting, f"vector_steps_{count}", count, ours, bare, against), taken]
