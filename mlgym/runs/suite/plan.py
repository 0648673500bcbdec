"""What a suite is made of, settled once: its cells, its data, the state of its tasks and agents."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from mlgym.agent_loader import find_agent
from mlgym.config import EvalConfig
from mlgym.runs.suite.matrix import Cell, cell_of, cells, with_tasks
from mlgym.task.data import choose_profile
from mlgym.task.spec import Task, find_task, task_files


@dataclass(frozen=True, slots=True)
class Plan:
    """`config` names every task. `profiles` and `task_sums` are by task, `agent_sums` by agent.

    `data` is the profile that the suite's data came to. The sums are over files; an agent that is
    an importable class has none.
    """

    config: EvalConfig
    version: str
    data: str
    profiles: Mapping[str, str]
    task_sums: Mapping[str, str]
    agent_sums: Mapping[str, str | None]
    cells: tuple[Cell, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "mlgym": self.version,
            "config": self.config.to_json(),
            "data": self.data,
            "tasks": {
                task: {"sha256": found, "profile": self.profiles[task]}
                for task, found in self.task_sums.items()
            },
            "agents": dict(self.agent_sums),
            "cells": [cell.to_json() for cell in self.cells],
        }


def plan_of(found: Mapping[str, Any]) -> Plan:
    """The plan that `to_json` gave. Raises KeyError, TypeError, ConfigError for what is none."""
    tasks: Mapping[str, Mapping[str, str]] = found["tasks"]
    config = EvalConfig.make(found["config"], _in_config)
    return Plan(
        config,
        found["mlgym"],
        found["data"],
        {task: told["profile"] for task, told in tasks.items()},
        {task: told["sha256"] for task, told in tasks.items()},
        found["agents"],
        tuple(map(cell_of, found["cells"])),
    )


def _in_config(path: tuple[int | str, ...]) -> str:
    return ".".join(("config", *map(str, path)))


def make_plan(config: EvalConfig, settled: str | None = None) -> Plan:
    """The plan of a suite. `settled` is the profile that `data: auto` came to before.

    Raises:
        ConfigError, TaskError: unknown names, a broken task; see `cells`.
    """
    config = with_tasks(config)
    tasks = {name: find_task(name) for name in config.tasks}
    data = settled or _data(tasks, config)
    return Plan(
        config,
        version("mlgym"),
        data,
        {name: _profile(task, data, config) for name, task in tasks.items()},
        {name: task.sha256 for name, task in tasks.items()},
        {name: _agent_sum(name) for name in config.agents},
        cells(config),
    )


def _data(tasks: Mapping[str, Task], config: EvalConfig) -> str:
    """What `data` comes to for the whole suite, so that its scores may meet in one table.

    `auto` is full where that has been prepared for every task that has it.
    """
    if config.data != "auto":
        return config.data
    several = [task for task in tasks.values() if len(task.spec.profiles) > 1]
    ready = [choose_profile(task, "auto", config.data_seed) == "full" for task in several]
    return "full" if ready and all(ready) else "mini"


def _profile(task: Task, data: str, config: EvalConfig) -> str:
    """The task's profile: that of the suite, but where `auto` leaves it no choice."""
    if config.data == "auto" and data not in task.spec.profiles:
        return next(iter(task.spec.profiles))
    return choose_profile(task, data, config.data_seed)


def _agent_sum(name: str) -> str | None:
    folder = find_agent(name).folder
    if folder is None:
        return None
    digest = hashlib.sha256()
    for path, file in task_files(folder):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{path}\0{content}\n".encode())
    return digest.hexdigest()
