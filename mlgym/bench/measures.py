"""What a measurement is, the gates it is held to, and how two things are timed in turn."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Timed = Callable[[], float]
"""Does something once and tells how many seconds of it count."""
MS = 1e3
"""Milliseconds in a second."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The most that a ratio, or a value in the measure's own unit, may be.

    `free` is how much of the value, in its unit, is left out of the ratio that is held to it.
    """

    at_most: float
    on: Literal["ratio", "value"] = "ratio"
    free: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure beside its reference.

    `value` and `reference` are in `unit`: "ms", "MB" (10^6 bytes) or "1/s". `against` says what the
    reference is, and "R" is the reference shell of `mlgym.bench.reference`. `ratio` is how many
    times more time or memory than the reference we take: 1 is as good, whatever the unit.
    `gate` bounds the ratio or the value (`gate_on`), `ok` says whether it holds. What could not be
    measured, or has no counterpart or no gate, is None; `detail` says why, or how it was measured.
    """

    name: str
    value: float | None
    unit: str
    reference: float | None
    ratio: float | None
    gate: float | None
    ok: bool | None
    detail: str
    against: str
    gate_on: Literal["ratio", "value"]


_LATE_MS, _OUTPUT_1MB_MS = 100.0, 20.0
_VALIDATE = Gate(1.5, free=20.0)
_EVERYWHERE = {
    "timeout_sleep": Gate(_LATE_MS, "value"),
    "timeout_busy_loop": Gate(_LATE_MS, "value"),
    "timeout_deaf": Gate(_LATE_MS, "value"),
    "output_1mb": Gate(_OUTPUT_1MB_MS, "value"),
    "reset_pooled": Gate(0.3),
}
GATES: Mapping[str, Mapping[str, Gate]] = {
    "bubblewrap": {
        **_EVERYWHERE,
        "step_p50": Gate(3.0),
        "cold_start": Gate(4.0),
        "reset": Gate(1.5),
        "validate": _VALIDATE,
        "vector_steps": Gate(round(1 / 0.6, 3)),
        "vector_gain": Gate(round(1 / 1.3, 3)),
        "vector_start": Gate(round(1 / 1.5, 3)),
        "vector_memory": Gate(12.0, "value"),
    },
    "docker": {**_EVERYWHERE, "step_p50": Gate(12.0), "reset": Gate(0.1)},
}
"""By backend and measure. The references differ between the backends, see `mlgym.bench.starts`."""


def measure(
    backend: str,
    name: str,
    value: float | None,
    reference: float | None,
    *,
    unit: str = "ms",
    against: str = "R",
    detail: str = "",
) -> Measure:
    """A `Measure` with its ratio and its gate."""
    ratio = None
    if value and reference:
        ratio = reference / value if unit == "1/s" else value / reference
    gate = GATES.get(backend, {}).get(name)
    ok = None
    if gate is not None:
        held = value if gate.on == "value" else ratio
        if gate.free and value and reference:
            held = (value - gate.free) / reference
            detail += f"; {gate.free:g} {unit} are beside the gate"
        ok = held is not None and held <= gate.at_most
    return Measure(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        ratio=ratio,
        gate=None if gate is None else gate.at_most,
        ok=ok,
        detail=detail,
        against=against,
        gate_on="ratio" if gate is None else gate.on,
    )


def compared(
    backend: str,
    name: str,
    seconds: tuple[Sequence[float], Sequence[float]],
    *,
    against: str = "R",
    share: float = 0.5,
    detail: str = "",
) -> Measure:
    """Durations in seconds, ours and the reference's, as a `Measure` in ms at quantile `share`."""
    ours, theirs = seconds
    called = "median" if share == 0.5 else f"p{100 * share:g}"
    told = f"{called} of {len(ours)}" + (f"; {detail}" if detail else "")
    value, reference = quantile(ours, share) * MS, quantile(theirs, share) * MS
    return measure(backend, name, value, reference, against=against, detail=told)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all do not exceed; for 0.5 the median."""
    if share == 0.5:
        return statistics.median(values)
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def timed(action: Callable[[], object]) -> Timed:
    """All of `action` counts."""

    def once() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    return once


def in_turn(ours: Timed, theirs: Timed, times: int) -> tuple[list[float], list[float]]:
    """Both so many times, by turns, so that whatever else the machine does meets both.

    Who begins changes every time; a first turn of each is not counted. Returns seconds.
    """
    ours()
    theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(times):
        for which in (0, 1) if number % 2 else (1, 0):
            seconds[which].append((ours, theirs)[which]())
    return seconds
