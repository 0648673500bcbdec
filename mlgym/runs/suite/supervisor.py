"""Plays a suite: hands its cells to workers, hears of them, tries again what the host failed.

One thread and one loop. All that must outlive this process stands in the suite's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from mlgym.errors import SandboxError
from mlgym.runs.suite.claims import look
from mlgym.runs.suite.crew import LOG, Crew, Hand
from mlgym.runs.suite.folder import Suite
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.leases import Pool
from mlgym.runs.suite.matrix import run_config
from mlgym.runs.suite.progress import CellProgress, Progress, settle
from mlgym.types import ExitReason

FAILURES = "failures.jsonl"
_TICK_S = 0.2
_ELSEWHERE_S = 0.5
_ELSEWHERE = "another process plays it"
_LONGEST_NAP_S = 30.0
_STOP_S = 10.0
_STILLBORN = 3


class SuiteView(Protocol):
    """Where a suite's progress is shown."""

    def note(self, line: str) -> None: ...

    def changed(self, one: CellProgress) -> None:
        """A cell was begun, has ended, or is to be tried again."""
        ...


@dataclass(slots=True)
class Stop:
    """How often somebody has asked for an end: once to cut off what runs, twice to kill it."""

    asked: int = 0


@dataclass(slots=True)
class Supervisor:
    """Plays what is left of `progress`. `gpus` says how many each task asks for."""

    suite: Suite
    progress: Progress
    crew: Crew
    pool: Pool
    gpus: Mapping[str, int]
    view: SuiteView
    stop: Stop
    _workers: list[Hand] = field(default_factory=list[Hand])
    _by_key: dict[str, CellProgress] = field(default_factory=dict[str, CellProgress])
    _stillborn: int = 0

    def play(self) -> None:
        """Play until every cell has ended, or until `stop`: then the rest can be resumed.

        Raises:
            SandboxError: no worker lives long enough to be given anything.
        """
        self._by_key = {one.cell.key: one for one in self.progress.cells}
        try:
            while not self.stop.asked and self.progress.ended < len(self.progress.cells):
                self._hand_out()
                self._hear(_TICK_S)
        finally:
            self._end_workers()

    # Handing out ------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        now, queue = self.progress.clock(), list(self._due())
        waits_for_gpus = False
        for one in queue:
            if one.now == "elsewhere" and self._is_elsewhere(one, now):
                continue
            if one.ended:
                continue
            worker = self._idle()
            if worker is None:
                return
            wanted = self.gpus[one.cell.task]
            # In their order, or one that wants many would wait for ever.
            leased = None if waits_for_gpus and wanted else self.pool.lease(wanted)
            if leased is None:
                waits_for_gpus = True
                continue
            one.now, one.since, one.step, one.cost_usd = "playing", now, 0, 0.0
            worker.play(one.cell, leased, self._order(one, leased))
            self.view.changed(one)

    def _due(self) -> list[CellProgress]:
        now = self.progress.clock()
        found = [one for one in self.progress.cells if one.now in ("waiting", "elsewhere")]
        return [one for one in found if one.due <= now]

    def _order(self, one: CellProgress, leased: tuple[str, ...]) -> dict[str, Any]:
        suite, plan = self.suite, self.suite.plan
        config = run_config(
            suite.config, one.cell, plan.profiles[one.cell.task], suite.folder, leased
        )
        return {
            "folder": str(suite.folder),
            "config": config.to_json(),
            "rates": {name: rate.model_dump() for name, rate in suite.config.rates.items()},
            "most_lost": one.most_lost,
        }

    def _is_elsewhere(self, one: CellProgress, now: float) -> bool:
        """Whether another process plays the cell still; if it has ended there, it has here."""
        one.due = now + _ELSEWHERE_S
        try:
            with held(self.suite.folder, one.cell.key):
                standing = look(self.suite.folder, one.cell)
        except HeldError:
            return True
        if standing.is_done and standing.record is not None:
            settle(one, standing.record)
            self.view.changed(one)
        return False

    def _idle(self) -> Hand | None:
        for worker in self._workers:
            if worker.cell is None:
                return worker
        if len(self._workers) >= self.progress.jobs:
            return None
        self._workers.append(self.crew.hire())
        return self._workers[-1]

    # Hearing ----------------------------------------------------------------------------------

    def _hear(self, within_s: float) -> None:
        for worker, messages in self.crew.hear(within_s):
            if messages is None:
                self._died(worker)
            for message in messages or ():
                self._heard(worker, message)

    def _heard(self, worker: Hand, message: Mapping[str, Any]) -> None:
        if worker.cell is None:
            return
        one, kind = self._by_key[worker.cell.key], message["kind"]
        self._stillborn = 0
        match kind:
            case "note":
                self.view.note(f"{one.cell.key}: {message['line']}")
            case "begin":
                one.max_steps = message["max_steps"]
            case "step":
                one.step, one.cost_usd = message["step"], message["cost_usd"]
            case _:
                self._free(worker)
                self._ended(one, kind, message)
                self.view.changed(one)

    def _ended(self, one: CellProgress, kind: str, message: Mapping[str, Any]) -> None:
        now = self.progress.clock()
        if kind != "not_ready":
            one.waits_since = None
        match kind:
            case "elsewhere":
                one.now, one.due = "elsewhere", now + _ELSEWHERE_S
                if one.reason != _ELSEWHERE:
                    one.reason = _ELSEWHERE
                    self.view.note(f"{one.cell.key}: {_ELSEWHERE}")
            case "not_ready":
                self._not_ready(one, message["reason"], now)
            case "refused":
                one.end("refused", None, message["reason"])
                self._note_failure(one, "refused", message["reason"])
            case "record":
                record = message["record"]
                final = record["exit_reason"] == ExitReason.TASK_ERROR
                if record["status"] != "infrastructure_failure" or final:
                    settle(one, record)
                else:
                    self._failed(one, record["exit_reason"], record)
            case _:
                self._failed(one, message["reason"], None)

    def _failed(self, one: CellProgress, reason: str, record: Mapping[str, Any] | None) -> None:
        """A try was lost to the infrastructure: another one is due later, or none."""
        one.tries += 1
        config = self.suite.config
        self._note_failure(one, "infrastructure", reason)
        if one.tries > config.retries:
            one.end("null", record, reason)
            return
        wait = config.backoff_s * 2.0 ** (one.tries - 1)
        one.now, one.due = "waiting", self.progress.clock() + wait
        one.reason = reason
        if record is not None:
            self._add_lost_cost(record["usage"]["cost_usd"])
        self.view.note(f"{one.cell.key}: {reason}; try {one.tries + 1} in {wait:.0f} s")

    def _add_lost_cost(self, cost: float | None) -> None:
        known = self.progress.lost_cost
        self.progress.lost_cost = None if cost is None or known is None else known + cost

    def _not_ready(self, one: CellProgress, reason: str, now: float) -> None:
        """Nothing of it was begun, so nothing was lost: it waits for what it needs to come back."""
        if one.waits_since is None:
            one.waits_since = now
            told = f"waiting up to {self.suite.config.patience_s:.0f} s"
            self.view.note(f"{one.cell.key}: {reason}; {told}")
        waited = now - one.waits_since
        if waited >= self.suite.config.patience_s:
            self._note_failure(one, "not ready", reason)
            one.end("null", None, reason)
            return
        one.reason = reason
        left = self.suite.config.patience_s - waited
        one.now, one.due = "waiting", now + min(max(1.0, waited / 4), _LONGEST_NAP_S, left)

    def _died(self, worker: Hand) -> None:
        self._workers.remove(worker)
        told, cell = worker.end(_STOP_S), worker.cell
        self._free(worker)
        if cell is None:
            self._stillborn += 1
        else:
            one = self._by_key[cell.key]
            self._failed(one, told, None)
            self.view.changed(one)
            self._stillborn += one.step == 0 and one.max_steps is None
        if self._stillborn >= _STILLBORN:
            raise SandboxError(
                f"what plays cells ends as soon as it is started ({told}); see"
                f" {self.suite.folder / LOG}"
            )

    def _free(self, worker: Hand) -> None:
        self.pool.give_back(worker.gpus)
        worker.cell, worker.gpus = None, ()

    def _note_failure(self, one: CellProgress, kind: str, reason: str) -> None:
        """Keep it for the summary, also of a later call; no suite ends for want of room here."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "key": one.cell.key,
            "kind": kind,
            "reason": reason,
        }
        with suppress(OSError), (self.suite.folder / FAILURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _end_workers(self) -> None:
        """Let the idle go; what is played is cut off, to be gone on with later."""
        until = time.monotonic() + _STOP_S
        for worker in self._workers:
            worker.dismiss() if worker.cell is None else worker.stop()
        while self._workers:
            # A second request for an end is for one at once.
            left = until - time.monotonic() if self.stop.asked < 2 else 0.0
            worker = self._workers[0]
            if left > 0 and not worker.has_ended(min(left, _TICK_S)):
                continue
            worker.end(0.0)
            if worker.cell is not None:
                self._by_key[worker.cell.key].now = "waiting"
            self._workers.pop(0)
