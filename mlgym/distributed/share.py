"""The environments that one actor holds: a vector's seats, of which only this process knows more.

It knows nothing of Ray. All its methods are for one thread, but `ring`.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gymnasium.vector import AutoresetMode

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.runs.ready import ready_data, ready_image
from mlgym.sandbox.strands import Loop
from mlgym.sandbox.waiting import wait_readable
from mlgym.vector.arguments import find_tasks
from mlgym.vector.curriculum import Sampler
from mlgym.vector.seat import Outcome, Seat

_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the environments of an actor are: the arguments of `MLGymVectorEnv`."""

    tasks: tuple[str | Path, ...]
    mode: AutoresetMode
    sampler: Sampler | None
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What an environment, told by its number in the whole vector, is to do.

    `step` takes `action`. `anew` is a reset that is told of like a step, `reset` may raise.
    """

    number: int
    kind: Literal["step", "anew", "reset"]
    action: str = ""
    seed: int | None = None
    options: dict[str, Any] | None = None


Answer = tuple[int, Outcome | Exception]
"""An environment's number, and what its order came to."""


class Share:
    """The environments `numbers` of a vector. Raises ConfigError, TaskError like `MLGymEnv`."""

    def __init__(self, wanted: Wanted, numbers: Sequence[int], gpus: Sequence[str] = ()) -> None:
        found = find_tasks(wanted.tasks)

        def make(name: str) -> MLGymEnv:
            env = MLGymEnv(found[name], **wanted.kwargs)
            env.laboratory.gpu_ids = tuple(gpus)
            return env

        self._mode = wanted.mode
        self._tasks = found
        self._seats = {
            number: Seat(number, make, tuple(found), wanted.sampler) for number in numbers
        }
        self._make = make
        self._running: Loop | None = None
        self._bell = os.pipe()
        self._rings = 0

    @property
    def _loop(self) -> Loop:
        """Made by the thread that works, which need not be the one that made this."""
        if self._running is None:
            self._running = Loop()
            self._running.begin(self._listen)
        return self._running

    def prepare(self) -> None:
        """Build images and prepare data where this machine lacks them: one process does it.

        Raises:
            ConfigError, TaskError, SandboxError: as `ready_image`, `ready_data`.
        """
        for name in self._tasks:
            env = self._make(name)
            ready_image(env.task, env.sandbox_name, print)
            ready_data(env.task, env.profile, env.laboratory.data_seed, print)

    def describe(self) -> dict[str, Any]:
        """What a vector tells of its environments."""
        first = next(iter(self._seats.values())).env
        names = ("metadata", "render_mode", "action_space", "observation_space")
        return {name: getattr(first, name) for name in names}

    def ring(self) -> None:
        """Let `work` come back with what has been answered. From any thread."""
        self._rings += 1
        os.write(self._bell[1], b"!")

    def _listen(self) -> None:
        while True:
            wait_readable(self._bell[0], _EVER)
            os.read(self._bell[0], 1024)

    def work(self, orders: Sequence[Order], wanted: int, rung: int) -> list[Answer]:
        """Begin `orders`; what has been answered, once that is `wanted` answers or nobody works.

        Less where the bell was rung more than `rung` times in all.
        """
        for order in orders:
            seat = self._seats[order.number]
            self._loop.begin(partial(seat.work, partial(self._do, seat, order)))
        self._loop.turn(0.0)
        while any(seat.busy for seat in self._seats.values()) and self._rings <= rung:
            if self._answered() >= wanted:
                break
            self._loop.turn()
        return [self._taken(seat) for seat in self._seats.values() if seat.answered]

    def _do(self, seat: Seat, order: Order) -> Outcome:
        if order.kind == "step":
            return seat.step(order.action, self._mode)
        if order.kind == "anew":
            return seat.begin_anew(order.seed)
        return seat.reset(order.seed, order.options)

    def _answered(self) -> int:
        return sum(seat.answered for seat in self._seats.values())

    @staticmethod
    def _taken(seat: Seat) -> Answer:
        outcome, error = seat.outcome, seat.error
        seat.outcome = seat.error = None
        if error is not None:
            return seat.number, portable(error)
        if outcome is None:
            raise SandboxError(f"environment {seat.number} has not answered")
        return seat.number, outcome

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Each environment's attribute, or what it returns. Raises what the first one raised."""

        def called(env: MLGymEnv) -> Any:
            found = env.get_wrapper_attr(name)
            return found(*args, **kwargs) if callable(found) else found

        return self._loop.gather([partial(called, seat.env) for seat in self._seats.values()])

    def set_attr(self, name: str, values: Mapping[int, Any]) -> None:
        for number, value in values.items():
            self._seats[number].env.set_wrapper_attr(name, value)

    def close(self) -> None:
        """Release every environment, steps under way included."""
        if self._running is not None:
            self._running.close()
        loop = Loop()
        try:
            loop.gather([seat.env.close for seat in self._seats.values()])
        finally:
            loop.close()


def portable(error: Exception) -> Exception:
    """The error, or one like it where it cannot be sent; a note says where it was raised."""
    told = "".join(traceback.format_exception(error)).rstrip()
    try:
        sent = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, a line above
    except Exception:  # noqa: BLE001 - whatever an error's own pickling raises
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note(f"there:\n{told}")
    return sent
