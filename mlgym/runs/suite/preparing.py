"""Makes a suite ready in one process before its workers start: checks, images, data, models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlgym.agent_loader import FoundAgent
from mlgym.models.local import ready_model
from mlgym.runs.leftovers import reap
from mlgym.runs.ready import Log, ready_data, ready_image
from mlgym.runs.single import check, make_env
from mlgym.runs.suite.leases import Pool
from mlgym.runs.suite.matrix import Cell, run_config
from mlgym.runs.suite.plan import Plan
from mlgym.sandbox.backends import choose_backend
from mlgym.task.spec import Task, find_task


def check_plan(plan: Plan, cells: Iterable[Cell], pool: Pool) -> dict[str, int]:
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
    found: dict[tuple[str, str | None], FoundAgent] = {}
    for cell in {cell.kind: cell for cell in cells}.values():
        config = run_config(plan.config, cell, plan.profiles[cell.task], Path())
        player = cell.agent, cell.model
        if player not in found:
            found[player] = check(config)
        # Nothing is started: it looks whether all that is asked for goes together.
        make_env(config, found[player])
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
