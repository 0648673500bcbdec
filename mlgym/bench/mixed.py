"""What slow commands of some environments cost those who ask for quick ones.

A consumer takes whatever has been answered (`recv`) and asks again at once. In some windows of time
one environment in eight runs `sleep`; in the others, by turns, those are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from mlgym.bench.measures import Measure, compared
from mlgym.bench.setting import ECHO, Setting
from mlgym.bench.vectors import made
from mlgym.errors import SandboxError
from mlgym.vector import MLGymVectorEnv

_ONE_IN = 8


def mixed(setting: Setting) -> list[Measure]:
    """From `send` of a quick command until `recv` has given its answer."""
    plan = setting.plan
    every = range(plan.vector_envs)
    slow = [number for number in every if number % _ONE_IN == 0]
    quick = [number for number in every if number % _ONE_IN]
    sleep = f"sleep {plan.slow_s:g}"
    beside, alone = list[float](), list[float]()
    with made(setting, plan.vector_envs) as envs:
        envs.reset(seed=0)
        for turn in range(2 * plan.mixed_windows):
            found = _window(envs, quick, slow if turn % 2 else [], sleep, plan.window_s)
            (beside if turn % 2 else alone).extend(found)
    against = "the same without slow ones"
    told = f"{len(quick)} run `{ECHO}`, {len(slow)} `{sleep}`"
    return [
        compared(setting.backend, name, (beside, alone), share=share, against=against, detail=told)
        for name, share in (("mixed_p50", 0.5), ("mixed_p99", 0.99))
    ]


def _window(
    envs: MLGymVectorEnv, quick: Sequence[int], slow: Sequence[int], sleep: str, window_s: float
) -> list[float]:
    """Seconds that each quick command took."""
    took: list[float] = []
    sent: dict[int, float] = {}
    end = time.perf_counter() + window_s

    def ask(numbers: Sequence[int], command: str) -> None:
        if numbers:
            now = time.perf_counter()
            envs.send([command] * len(numbers), numbers)
            sent.update(dict.fromkeys(numbers, now))

    ask(slow, sleep)
    ask(quick, ECHO)
    while sent:
        ids, texts, *_ = envs.recv()
        now = time.perf_counter()
        fast: list[int] = []
        lazy: list[int] = []
        for number, text in zip(ids.tolist(), texts, strict=True):
            began = sent.pop(number)
            if number in slow:
                lazy.append(number)
                continue
            if text != "hi\n":
                raise SandboxError(f"`{ECHO}` said {text!r:.200} beside slow commands")
            took.append(now - began)
            fast.append(number)
        if now < end:
            ask(lazy, sleep)
            ask(fast, ECHO)
    return took
