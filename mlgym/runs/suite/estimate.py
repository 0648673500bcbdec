"""How much there is left to do in a suite: steps and cost, by runs that ended, else by limits."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgym.config import EvalConfig
from mlgym.models.facts import SCRIPTED, capabilities
from mlgym.runs.suite.matrix import Cell
from mlgym.runs.suite.plan import Plan
from mlgym.runs.suite.progress import Progress, kind_of
from mlgym.task.spec import find_task


@dataclass(frozen=True, slots=True)
class Guess:
    """`value` is None where nobody can say. `basis`: what it is taken from."""

    value: float | None
    basis: str

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "basis": self.basis}


def estimate(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Of the cells that are left: steps and US dollars, expected (from runs) or at most."""
    left = [one.cell for one in progress.cells if not one.ended]
    records = [one.record for one in progress.cells if one.ended and one.record]
    steps = _sum(left, records, _steps, lambda cell: _most_steps(plan.config, cell))
    cost = _sum(left, records, _cost, lambda cell: _most_cost(plan.config, cell))
    return {"cells": len(left), "steps": steps.to_json(), "cost_usd": cost.to_json()}


def _sum(
    left: Iterable[Cell],
    records: Sequence[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], float | None],
    most: Callable[[Cell], float | None],
) -> Guess:
    total, bases, unknown = 0.0, set[str](), False
    for cell in left:
        same = [record for record in records if kind_of(record) == cell.kind]
        found = [value for record in same if (value := read(record)) is not None]
        bases.add("runs" if found and len(found) == len(same) else "limits")
        value = statistics.fmean(found) if found and len(found) == len(same) else most(cell)
        unknown = unknown or value is None
        total += value or 0.0
    basis = "runs that ended" if bases == {"runs"} else "at most, by the limits"
    if bases == {"runs", "limits"}:
        basis = "runs that ended; the limits where none has"
    return Guess(None, "unknown price") if unknown else Guess(round(total, 6), basis)


def _steps(record: Mapping[str, Any]) -> float | None:
    return float(record["steps"])


def _cost(record: Mapping[str, Any]) -> float | None:
    return record["usage"]["cost_usd"]


def _most_steps(config: EvalConfig, cell: Cell) -> float:
    return float(config.max_steps or find_task(cell.task).spec.budget.steps)


def _most_cost(config: EvalConfig, cell: Cell) -> float | None:
    """What a cell costs at most, None where no limit and no price tell."""
    if cell.model is None or cell.model.startswith(SCRIPTED):
        return 0.0
    bounds: list[float] = []
    if config.cost_limit is not None:
        bounds.append(config.cost_limit)
    own = next((one.price for one in config.models if one.model == cell.model), None)
    price = own or config.price or capabilities(cell.model).price
    if config.token_limit is not None and price is not None:
        bounds.append(config.token_limit * max(price) / 1e6)
    return min(bounds) if bounds else None
