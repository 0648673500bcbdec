"""How late the end of a command's time is noticed, and how late the command then returns.

The counterpart is `timeout` of coreutils around the same command in the reference shell.
"""

from __future__ import annotations

import re
import shlex
import statistics
import time
from collections.abc import Callable, Sequence

from mlgym.bench.measures import MS, Measure, in_turn, measure
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import Setting
from mlgym.errors import SandboxError

KILL_AFTER_S = 1
"""What `timeout` waits between SIGINT and SIGKILL: as long as a sandbox does."""
SLEEP = "sleep 60"
BUSY = "while :; do :; done"
# It goes on after SIGINT, but tells when that came, by the clock that told when it began.
_ON_SIGINT = 'trap "echo \\$EPOCHREALTIME" INT; while :; do sleep 60; done'
DEAF = f"echo $EPOCHREALTIME; bash -c {shlex.quote(_ON_SIGINT)}"
_STAMP = re.compile(r"^\d+\.\d+$", re.MULTILINE)


def timeouts(setting: Setting) -> list[Measure]:
    """Milliseconds after the limit, the worst of all times."""
    limit, times, backend = setting.plan.limit_s, setting.plan.timeouts, setting.backend
    noticed: tuple[list[float], list[float]] = ([], [])
    with setting.env() as env, ReferenceShell() as shell:
        box = env.sandbox

        def ours(command: str) -> str:
            result = box.run(command, limit)
            if not result.timed_out:
                raise SandboxError(f"{command!r} came to an end: {result.output!r:.200}")
            return result.output

        def theirs(command: str) -> str:
            end = f"timeout -s INT -k {KILL_AFTER_S} {limit}"
            return shell.run(f"{end} bash -c {shlex.quote(command)}".encode())[0].decode()

        sleep, busy, deaf = (
            in_turn(
                lambda command=command: _late(lambda: ours(command), limit, noticed[0]),
                lambda command=command: _late(lambda: theirs(command), limit, noticed[1]),
                times,
            )
            for command in (SLEEP, BUSY, DEAF)
        )
    told = "until `run` returns"
    return [
        _worst(backend, "timeout_sleep", sleep, f"`{SLEEP}`: {told}, SIGINT having ended it"),
        _worst(backend, "timeout_busy_loop", busy, f"`{BUSY}` in the shell itself: {told}"),
        _worst(backend, "timeout_deaf", noticed, "a process that goes on after SIGINT: until that"),
        _worst(backend, "timeout_deaf_return", deaf, f"the same: {told}, SIGKILL having ended it"),
    ]


def _late(run: Callable[[], str], limit: float, noticed: list[float]) -> float:
    """Seconds from the limit to the return; those to SIGINT, if it was told, go to `noticed`."""
    began = time.perf_counter()
    told = run()
    late = time.perf_counter() - began - limit
    stamps = [float(stamp) for stamp in _STAMP.findall(told)]
    if len(stamps) > 1:
        noticed.append(stamps[1] - stamps[0] - limit)
    return late


def _worst(
    backend: str, name: str, seconds: tuple[Sequence[float], Sequence[float]], detail: str
) -> Measure:
    ours, theirs = seconds
    if not ours:
        return measure(backend, name, None, None, detail=f"{detail}, which never came")
    return measure(
        backend,
        name,
        max(ours) * MS,
        max(theirs) * MS if theirs else None,
        against="timeout of coreutils",
        detail=f"worst of {len(ours)}, median {statistics.median(ours) * MS:.1f}; {detail}",
    )
