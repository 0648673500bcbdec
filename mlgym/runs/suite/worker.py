"""A process that plays cells, one after the other, as its parent tells it over pipes.

Long-lived, as what a model's library costs to import is paid once. It ends at once with its parent,
and leaves what a killed run leaves; told to stop (SIGTERM) it closes its sandbox first, and leaves
the episode to be resumed. Messages are JSON, one a line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from mlgym.config import Rate, RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.runs.single import Watch
from mlgym.runs.suite.gate import HeldError
from mlgym.runs.suite.limits import SharedPace
from mlgym.runs.suite.matrix import cell_of
from mlgym.runs.suite.playing import NotReadyError, play_cell
from mlgym.types import Transition, Usage

_SET_PDEATHSIG = 1


class CutOffError(BaseException):
    """The process is told to stop. No `Exception`, so that no agent catches it."""


class Desk:
    """Where a worker gets its orders and puts its answers."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._lines = orders
        self._answers = answers
        self._orders: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self.at_work = False

    def listen(self) -> None:
        """Read orders until there is nobody left to give any."""
        for line in self._lines:
            self._orders.put(json.loads(line))
        if self.at_work:
            os.kill(os.getpid(), signal.SIGKILL)
        self._orders.put(None)

    def orders(self) -> Iterator[dict[str, Any]]:
        while (order := self._orders.get()) is not None:
            self.at_work = True
            yield order
            self.at_work = False

    def say(self, kind: str, **told: Any) -> None:
        # Nobody may be left to hear it: then this process is about to end.
        with contextlib.suppress(BrokenPipeError):
            self._answers.write(json.dumps({"kind": kind, **told}) + "\n")
            self._answers.flush()


def play(order: dict[str, Any], desk: Desk) -> None:
    """Play a cell and tell what came of it. What goes wrong is classified here."""
    cell = cell_of(order["cell"])
    folder = Path(order["folder"])
    spent = Usage()

    def see(transition: Transition) -> None:
        nonlocal spent
        if transition.usage is not None:
            spent += transition.usage
        desk.say("step", step=transition.step, cost_usd=spent.cost_usd)

    def begin(env: MLGymEnv) -> None:
        desk.say("begin", max_steps=env.max_steps)

    rates = {name: Rate(**told) for name, told in order["rates"].items()}
    watch = Watch(
        on_transition=see,
        log=lambda line: desk.say("note", line=line),
        pace=SharedPace(Path(order.get("limits", folder)), rates),
    )
    try:
        config = RunConfig.make(**order["config"])
        record = play_cell(folder, cell, config, watch, most_lost=order["most_lost"], on_env=begin)
        desk.say("record", record=record)
    except HeldError:
        desk.say("elsewhere")
    except NotReadyError as error:
        desk.say("not_ready", reason=str(error))
    except (ConfigError, TaskError) as error:
        desk.say("refused", reason=str(error))
    except SandboxError as error:
        desk.say("failed", reason=str(error))
    # The boundary: a bug of ours, or a host that fails, costs one try of one cell.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        desk.say("failed", reason=f"{type(error).__name__}: {error}")


def _end_with(parent: int) -> None:
    """Be killed when the parent ends, however that is; where the system can do that."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _cut_off(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise CutOffError


def main() -> None:
    """Serve the process whose id is the one argument."""
    _end_with(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, _cut_off)
    # What agents print goes where errors go, and there is nothing for them to read: nothing of
    # theirs is an answer, and no order is taken from us.
    orders = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    desk = Desk(orders, answers)
    threading.Thread(target=desk.listen, daemon=True).start()
    with contextlib.suppress(CutOffError):
        for order in desk.orders():
            play(order, desk)
    # Without waiting for threads of an agent's or of a request that nobody waits for.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
