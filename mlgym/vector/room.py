"""The seats of one vector at work together: one loop, who was asked, who has answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar, cast

from gymnasium.error import (
    AlreadyPendingCallError,
    ClosedEnvironmentError,
    NoAsyncCallError,
    ResetNeeded,
)
from gymnasium.vector import AutoresetMode

from mlgym.sandbox.strands import Loop
from mlgym.vector.seat import Outcome, Seat

T = TypeVar("T")


class Room:
    """Nothing is acquired before something is begun."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._seats = seats
        self._running: Loop | None = None
        self._closed = False

    @property
    def _loop(self) -> Loop:
        if self._running is None:
            self._running = Loop()
        return self._running

    def gather(self, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """What the jobs return, all done at once. See `Loop.gather`."""
        return self._loop.gather(jobs)

    def begin(self, actions: Sequence[str], chosen: Sequence[int], mode: AutoresetMode) -> None:
        """Begin a step of each of the chosen. Raises ResetNeeded where one must be reset first."""
        self.expect_open("step")
        over = [number for number in chosen if self._seats[number].ended]
        if over and mode is AutoresetMode.DISABLED:
            raise ResetNeeded(f"the episodes of {over} are over: reset them by a reset_mask")
        loop = self._loop
        for action, number in zip(actions, chosen, strict=True):
            seat = self._seats[number]
            loop.begin(partial(seat.work, seat.step, action, mode))

    def begin_anew(self, chosen: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Begin a reset of each of the chosen."""
        self.expect_open("reset")
        for number, seed in zip(chosen, seeds, strict=True):
            seat = self._seats[number]
            self._loop.begin(partial(seat.work, seat.begin_anew, seed))

    def run(self, wanted: int, timeout: float | None) -> None:
        """Until so many have answered, or nobody is at work.

        Raises NoAsyncCallError: nothing was asked. TimeoutError: `timeout` seconds have passed.
        """
        if not self.asked():
            raise NoAsyncCallError("no step is under way", "step")
        end = None if timeout is None else time.monotonic() + timeout
        # What is ready is taken in, also where enough have answered already.
        self._loop.turn(0.0)
        while any(seat.busy for seat in self._seats):
            if wanted < len(self._seats) and len(self.answered()) >= wanted:
                return
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"not answered within {timeout:g} s")
            self._loop.turn(left)

    def answered(self) -> list[int]:
        return [number for number, seat in enumerate(self._seats) if seat.answered]

    def asked(self) -> list[int]:
        """Those at work, and those whose answers were not handed out."""
        return [number for number, seat in enumerate(self._seats) if seat.busy or seat.answered]

    def taken(self, numbers: Iterable[int]) -> list[Outcome | None]:
        """The answers of these, handed out with this; None of who was not asked.

        Raises what one of them raised, once; the others' answers stay.
        """
        seats = [self._seats[number] for number in numbers]
        for seat in seats:
            if seat.error is not None:
                error, seat.error = seat.error, None
                error.add_note(f"in environment {seat.number} of the vector")
                raise error
        outcomes = [seat.outcome for seat in seats]
        for seat in seats:
            seat.outcome = None
        return outcomes

    def observations(self) -> tuple[str, ...]:
        """Everybody's last one. Raises ResetNeeded where somebody has none."""
        texts = [seat.observation for seat in self._seats]
        if None in texts:
            raise ResetNeeded(f"environment {texts.index(None)} was never reset")
        return tuple(cast("list[str]", texts))

    def expect_open(self, what: str) -> None:
        """Raises ClosedEnvironmentError."""
        if self._closed:
            raise ClosedEnvironmentError(f"{what}: the environments are closed")

    def expect_idle(self, what: str) -> None:
        """Raises ClosedEnvironmentError, AlreadyPendingCallError."""
        self.expect_open(what)
        if self.asked():
            raise AlreadyPendingCallError(f"{what}: steps are under way: step_wait()", "step")

    def close(self) -> None:
        """End what is under way, and release every environment, waiting for all ends together."""
        self._closed = True
        if self._running is not None:
            self._running.close()
        loop = Loop()
        try:
            loop.gather([seat.env.close for seat in self._seats])
        finally:
            loop.close()
