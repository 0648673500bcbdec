"""How a suite stands: what each cell has come to, what it cost, when it may end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlgym.runs.suite.claims import Standing
from mlgym.runs.suite.matrix import Cell, Kind

Now = Literal["waiting", "playing", "elsewhere", "scored", "unscored", "null", "refused"]
ENDED: tuple[Now, ...] = ("scored", "unscored", "null", "refused")
"""`null`: the infrastructure failed every try, or the task is unsound. `refused`: a mistake."""


@dataclass(slots=True)
class CellProgress:
    """One cell. `due` is when it may be tried (again), on the monotonic clock.

    `before` says that it had ended before this process began. `tries` are those that failed.
    """

    cell: Cell
    now: Now = "waiting"
    record: Mapping[str, Any] | None = None
    reason: str = ""
    tries: int = 0
    most_lost: int = 0
    due: float = 0.0
    waits_since: float | None = None
    before: bool = False
    step: int = 0
    max_steps: int | None = None
    cost_usd: float | None = 0.0
    since: float = 0.0

    @property
    def ended(self) -> bool:
        return self.now in ENDED

    @property
    def score(self) -> float | None:
        """The normalized score on the test split, None where there is none."""
        found = self.record.get("score") if self.record and self.now == "scored" else None
        return None if found is None else found["normalized"]

    def end(self, now: Now, record: Mapping[str, Any] | None = None, reason: str = "") -> None:
        self.now, self.record, self.reason = now, record, reason


@dataclass(slots=True)
class Progress:
    """The whole suite. Times are seconds on the monotonic clock."""

    cells: list[CellProgress]
    jobs: int
    clock: Callable[[], float] = time.monotonic
    began: float = field(default_factory=time.monotonic)
    lost_cost: float | None = 0.0
    """What tries that count for nothing have cost."""

    def counts(self) -> dict[str, int]:
        """How many cells are in each state that any is in."""
        names = [one.now for one in self.cells]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def ended(self) -> int:
        return sum(one.ended for one in self.cells)

    @property
    def failures(self) -> int:
        """Tries that the infrastructure failed, in this call."""
        return sum(one.tries for one in self.cells)

    def cost_usd(self) -> tuple[float, bool]:
        """What is known of the cost so far in US dollars, and whether that is all of it."""
        found = [self.lost_cost]
        for one in self.cells:
            if one.record is not None:
                found.append(one.record["usage"]["cost_usd"])
            elif not one.ended:
                found.append(one.cost_usd)
        known = [cost for cost in found if cost is not None]
        return sum(known), len(known) == len(found)

    def per_hour(self) -> float | None:
        """Cells that ended, an hour; None before the first."""
        count = sum(one.ended and not one.before for one in self.cells)
        passed = self.clock() - self.began
        return count * 3600 / passed if count and passed > 0 else None

    def left_s(self) -> float | None:
        """For how many seconds it may go on, by what runs have taken; None where none has ended."""
        usual = _usual(one.record for one in self.cells if one.ended and one.record)
        if usual is None:
            return None
        now, left = self.clock(), 0.0
        for one in self.cells:
            if one.ended:
                continue
            whole = usual.get(one.cell.kind, usual[None])
            left += max(0.0, whole - (now - one.since if one.now == "playing" else 0.0))
        at_once = min(self.jobs, max(1, len(self.cells) - self.ended))
        return left / at_once


def kind_of(record: Mapping[str, Any]) -> Kind:
    """The kind of the cell that this is the run of."""
    return record["config"]["task"], record["agent"], record["model"]


def _usual(records: Iterable[Mapping[str, Any]]) -> dict[Kind | None, float] | None:
    """How long runs of each kind have taken; under None, all of them."""
    taken: dict[Kind | None, list[float]] = {}
    for record in records:
        for one in (kind_of(record), None):
            taken.setdefault(one, []).append(record["duration_s"])
    return {kind: statistics.fmean(found) for kind, found in taken.items()} if taken else None


def begin(cell: Cell, standing: Standing, retries: int) -> CellProgress:
    """How a cell stands before anything is done."""
    found = CellProgress(cell, most_lost=standing.lost + retries)
    if standing.is_done:
        found.before = True
        settle(found, standing.record or {})
    return found


def settle(found: CellProgress, record: Mapping[str, Any]) -> None:
    """A cell's run has ended, and no further try is due."""
    status = record["status"]
    if status == "infrastructure_failure":
        found.end("null", record, str(record["exit_reason"]))
    else:
        found.end("scored" if status == "scored" else "unscored", record)
