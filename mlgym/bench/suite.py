"""Runs every measurement on one backend, one after another, all on one core."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version

from mlgym.bench.files import files
from mlgym.bench.grading import validation
from mlgym.bench.measures import Measure
from mlgym.bench.memory import memory
from mlgym.bench.mixed import mixed
from mlgym.bench.output import output
from mlgym.bench.pinning import on_core, on_cores, pids_of, pin
from mlgym.bench.plan import FULL, Plan
from mlgym.bench.scaling import scaling
from mlgym.bench.setting import Setting, bench_task
from mlgym.bench.starts import starts
from mlgym.bench.steps import step_latency, step_rates
from mlgym.bench.timeouts import timeouts
from mlgym.bench.vector import vector, vector_start

Log = Callable[[str], None]

Part = Callable[[Setting], list[Measure]]
Parts = tuple[tuple[str, Part], ...]

PARTS: Parts = (
    ("a step", step_latency),
    ("steps a second", step_rates),
    ("starts and resets", starts),
    ("output", output),
    ("time-outs", timeouts),
    ("validate", validation),
    ("memory", memory),
    ("files", files),
)
VECTOR_PARTS: Parts = (
    ("a vector", vector),
    ("start of a vector", vector_start),
    ("slow and quick commands", mixed),
    ("vectors of several sizes", scaling),
)
_DAEMON = "docker: what the daemon's own processes do is part of every figure, on whatever core"


@dataclass(frozen=True, slots=True)
class Report:
    """All measures of one backend, and where they were taken.

    `pinned` says whether the sandbox's processes were bound to `core` too; `cores` is the number
    of this machine's. `notes` are what a reader must know to compare.
    """

    sandbox: str
    core: int
    pinned: bool
    cores: int
    machine: str
    mlgym: str
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    vector: bool = False
    """Whether a vector was measured, on two cores, of which `core` is one."""


def bench(
    backend: str, plan: Plan = FULL, core: int | None = None, log: Log = lambda _: None
) -> Report:
    """Measure the backend of that name. `log` gets a line before each part.

    Raises:
        ConfigError: no such backend, or no such core.
        SandboxError: no sandbox can be had, its image is missing, or an answer was wrong.
    """
    found: list[Measure] = []
    with on_core(core) as number, bench_task() as task:
        setting = Setting(backend, plan, number, task)
        with setting.env() as env:
            pinned = pin(pids_of(env.sandbox), number)
        for what, part in PARTS:
            log(f"measuring: {what}")
            found += part(setting)
    notes = () if pinned else ("the sandbox's processes could not be bound to the core",)
    if backend == "docker":
        notes += (_DAEMON,)
    return report(backend, number, found, notes, pinned=pinned)


def bench_vector(backend: str, plan: Plan = FULL, log: Log = lambda _: None) -> Report:
    """Measure vectors of environments, on two cores. Raises like `bench`."""
    found: list[Measure] = []
    with on_cores(2) as cores, bench_task() as task:
        setting = Setting(backend, plan, cores[-1], task)
        for what, part in VECTOR_PARTS:
            log(f"measuring: {what}")
            found += part(setting)
    notes = (_DAEMON,) if backend == "docker" else ()
    return replace(report(backend, cores[-1], found, notes, pinned=False), vector=True)


def report(
    backend: str, core: int, found: Iterable[Measure], notes: tuple[str, ...], *, pinned: bool
) -> Report:
    """The report of what was found here."""
    kernel = ".".join(platform.release().split(".")[:2])
    return Report(
        sandbox=backend,
        core=core,
        pinned=pinned,
        cores=os.cpu_count() or 1,
        machine=f"{platform.machine()}, {platform.system()} {kernel}",
        mlgym=version("mlgym"),
        measures=tuple(found),
        notes=notes,
    )
