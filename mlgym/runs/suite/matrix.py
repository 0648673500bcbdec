"""The cells of a suite, and what each of them is asked to be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlgym import catalog
from mlgym.agent_loader import find_agent, takes_model
from mlgym.config import EvalConfig, RunConfig, SuiteModel
from mlgym.errors import ConfigError

ALL = "all"
_LONGEST = 48
_OWN = ("task", "agent", "model", "seed", "memory", "out", "data", "gpus")
"""What a cell, its folder or a lease decides, not the suite's configuration as a whole."""


Kind = tuple[str, str, str | None]
"""Task, agent and model: what cells that differ by their seed alone have in common."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a suite. `key` names it, and its folder; `model` is None for an agent without."""

    task: str
    agent: str
    model: str | None
    seed: int
    data_seed: int
    key: str

    @property
    def kind(self) -> Kind:
        return self.task, self.agent, self.model

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cell_of(found: Mapping[str, Any]) -> Cell:
    """The cell that `to_json` gave."""
    return Cell(**found)


def with_tasks(config: EvalConfig) -> EvalConfig:
    """`config` with the tasks that `all` stands for: those of the catalogue."""
    if ALL not in config.tasks:
        return config
    if len(config.tasks) > 1:
        raise ConfigError(f"tasks: found {', '.join(config.tasks)}, expected: all, or names")
    return config.model_copy(update={"tasks": tuple(catalog.shelf("tasks"))})


def cells(config: EvalConfig) -> tuple[Cell, ...]:
    """Every cell, seeds innermost, so that all tasks have first results early.

    Raises:
        ConfigError: an unknown agent, one that needs a model and has none, one that is played by
            hand; two cells of one name.
    """
    models = {agent: _models(agent, config) for agent in config.agents}
    found = [
        _cell(task, agent, model, seed, config.data_seed)
        for seed in config.seeds
        for task in config.tasks
        for agent in config.agents
        for model in models[agent]
    ]
    keys = [cell.key for cell in found]
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len({*keys}) < len(keys) else []
    if twice:
        raise ConfigError(f"tasks, agents, models: two cells would be called {twice[0]}")
    return tuple(found)


def _models(agent: str, config: EvalConfig) -> list[str | None]:
    found = find_agent(agent)
    if found.spec.interactive:
        raise ConfigError(f"agents: found {agent!r}, which is played by hand, expected: others")
    if not takes_model(found):
        return [None]
    if not config.models:
        raise ConfigError(f"models: found none, expected: at least one, as {agent!r} needs a model")
    return [model.model for model in config.models]


def _cell(task: str, agent: str, model: str | None, seed: int, data_seed: int) -> Cell:
    parts = [_word(task), _word(agent), *([_word(model)] if model else []), f"s{seed}"]
    if data_seed:
        parts.append(f"d{data_seed}")
    return Cell(task, agent, model, seed, data_seed, "--".join(parts))


def _word(name: str) -> str:
    """`name` as part of a folder's name. What that loses of it is told apart by a hash."""
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) and len(name) <= _LONGEST and name[0] not in ".-":
        return name.replace("/", "+")
    short = re.sub(r"[^\w.-]+", "-", name.rstrip("/").rpartition("/")[2]).strip(".-")
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{short[:_LONGEST] or 'it'}-{mark}"


def run_config(
    config: EvalConfig, cell: Cell, profile: str, out: Path, gpus: tuple[str, ...] = ()
) -> RunConfig:
    """What the cell's run is asked to be, on the data `profile`, in the suite's folder `out`."""
    shared = {name: getattr(config, name) for name in RunConfig.model_fields if name not in _OWN}
    model = next((one for one in config.models if one.model == cell.model), None)
    own = model.own() if isinstance(model, SuiteModel) else {}
    if cell.model is None:
        # They would only be a reason to refuse it.
        for name in ("cost_limit", "token_limit", "price", "api_base", "fallbacks"):
            del shared[name]
    return RunConfig.make(
        **{
            **shared,
            **own,
            "task": cell.task,
            "agent": cell.agent,
            "model": cell.model,
            "seed": cell.seed,
            "data": profile,
            "out": out,
            "gpus": gpus,
        }
    )
