"""Held against bounds: ratios that a change must not exceed, with room for what a machine does.

Seconds say little about a program and much about a machine, so that ratios alone are bounded. What
exceeds its bound is measured again before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mlgym.bench.measures import Measure
from mlgym.bench.pinning import on_core, on_cores
from mlgym.bench.plan import CHECK, Plan
from mlgym.bench.setting import Setting, bench_task
from mlgym.bench.suite import PARTS, VECTOR_PARTS, Part
from mlgym.errors import ConfigError, TaskError
from mlgym.task.document import read_document

TRIES = 3
Bounds = Mapping[str, Mapping[str, float]]
"""By part of the bench and measure: the most that the ratio may be."""
_ON_ONE, _ON_TWO = dict(PARTS), dict(VECTOR_PARTS)


@dataclass(frozen=True, slots=True)
class Held:
    """The best ratio of `tries`, None where nothing could be measured, and its bound."""

    name: str
    ratio: float | None
    at_most: float
    tries: int

    @property
    def ok(self) -> bool:
        return self.ratio is not None and self.ratio <= self.at_most


def read_bounds(file: Path) -> dict[str, Bounds]:
    """The bounds by backend. The file is YAML: backend, part of the bench, measure, ratio.

    Raises ConfigError: no such file, an unknown part, or a bound that is no positive number.
    """
    try:
        content = read_document(file).content
    except TaskError as error:
        raise ConfigError(str(error)) from error
    return {backend: _bounds(file, backend, parts) for backend, parts in content.items()}


def _bounds(file: Path, backend: str, parts: object) -> Bounds:
    found: dict[str, dict[str, float]] = {}
    for part, bounds in _mapping(file, backend, parts).items():
        if part not in {**_ON_ONE, **_ON_TWO}:
            known = ", ".join(repr(name) for name in (*_ON_ONE, *_ON_TWO))
            raise ConfigError(
                f"{file}: {backend}: found the part {part!r}, expected one of {known}"
            )
        found[part] = {}
        for name, at_most in _mapping(file, f"{backend}, {part}", bounds).items():
            if isinstance(at_most, bool) or not isinstance(at_most, int | float) or at_most <= 0:
                raise ConfigError(f"{file}: {name}: found {at_most!r}, expected a ratio above 0")
            found[part][name] = float(at_most)
    return found


def _mapping(file: Path, where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {where}: found {value!r:.100}, expected a mapping")
    return cast("Mapping[str, Any]", value)


def check(
    backend: str, bounds: Bounds, log: Callable[[str], None] = lambda _: None, plan: Plan = CHECK
) -> list[Held]:
    """Measure what is bounded; what fails up to `TRIES` times in all.

    Raises:
        ConfigError: a part has no such measure.
        SandboxError: like `mlgym.bench.suite.bench`.
    """
    with bench_task() as task:
        return [
            held
            for part, bounded in bounds.items()
            for held in _part(backend, part, bounded, plan, task, log)
        ]


def _part(
    backend: str,
    part: str,
    bounded: Mapping[str, float],
    plan: Plan,
    task: Path,
    log: Callable[[str], None],
) -> list[Held]:
    best: dict[str, Held] = {}
    for number in range(1, TRIES + 1):
        log(f"measuring: {part}" + (f", try {number} of {TRIES}" if number > 1 else ""))
        with _ready(part) as (measured, core):
            found = {each.name: each for each in measured(Setting(backend, plan, core, task))}
        for name, at_most in bounded.items():
            if name not in found:
                known = ", ".join(found)
                raise ConfigError(f"{part}: found the measure {name!r}, expected one of {known}")
            if name not in best or not best[name].ok:
                best[name] = _better(best.get(name), found[name], at_most, number)
        if all(held.ok for held in best.values()):
            break
    return list(best.values())


def _better(before: Held | None, found: Measure, at_most: float, number: int) -> Held:
    known = [ratio for ratio in (before and before.ratio, found.ratio) if ratio is not None]
    return Held(found.name, min(known, default=None), at_most, number)


@contextmanager
def _ready(part: str) -> Generator[tuple[Part, int]]:
    """What measures a part, its cores bound for it."""
    if part in _ON_ONE:
        with on_core(None) as core:
            yield _ON_ONE[part], core
    else:
        with on_cores(2) as cores:
            yield _ON_TWO[part], cores[-1]
