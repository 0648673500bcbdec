"""Makes a suite ready in one process before its workers start: checks, images, data, models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlgym.models.local import ready_model
from mlgym.runs.leftovers import reap
from mlgym.runs.ready import Log, ready_data, ready_image
from mlgym.runs.single import check
from mlgym.runs.suite.leases import GpuPool
from mlgym.runs.suite.matrix import Cell, run_config
from mlgym.runs.suite.plan import Plan
from mlgym.sandbox.backends import choose_backend, load_backend
from mlgym.task.spec import Task, find_task


def check_plan(plan: Plan, cells: Iterable[Cell], pool: GpuPool) -> dict[str, int]:
    """Refuse what cannot work, before anything is started; how many GPUs each task asks for.

    Raises:
        ConfigError: an unknown agent or model, a key or a price that is missing; a task that asks
            for more GPUs than the pool has.
    """
    wanted: dict[str, int] = {}
    for name in plan.profiles:
        task = find_task(name)
        wanted[name] = task.spec.resources.gpus
        pool.check(name, wanted[name])
        load_backend(_backend(plan, task), plan.config.runtime)
    seen: set[tuple[str, str | None]] = set()
    for cell in cells:
        if (cell.agent, cell.model) not in seen:
            seen.add((cell.agent, cell.model))
            check(run_config(plan.config, cell, plan.profiles[cell.task], Path()))
    return wanted


def _backend(plan: Plan, task: Task) -> str:
    return choose_backend(plan.config.sandbox, task.spec.resources.gpus)


def prepare(plan: Plan, cells: Iterable[Cell], log: Log) -> None:
    """Build images and prepare data where they are missing, for what is left to be played.

    Raises:
        ConfigError, TaskError, SandboxError: as `ready_image`, `ready_data`.
    """
    left = list(cells)
    tasks = {name: find_task(name) for name in dict.fromkeys(cell.task for cell in left)}
    for backend in dict.fromkeys(_backend(plan, task) for task in tasks.values()):
        reap(backend)
    for name, task in tasks.items():
        ready_image(task, _backend(plan, task), log)
        ready_data(task, plan.profiles[name], plan.config.data_seed, log)
    for model in dict.fromkeys(cell.model for cell in left):
        ready_model(model, log)
