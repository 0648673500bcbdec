"""The driver's side of a vector in Ray actors: who was asked, who has answered, who was lost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gymnasium.error import NoAsyncCallError, ResetNeeded
from gymnasium.vector import AutoresetMode

from mlgym.distributed.actors import LostError, Member, close_all
from mlgym.distributed.share import Answer, Order
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.types import ExitReason
from mlgym.vector.room import Room
from mlgym.vector.seat import FAILURE, Outcome, Seat, tool_of, void_text

_LOOK_S = 1.0


@dataclass(slots=True)
class FarSeat:
    """What is known here of an environment there; see `Seat` for what is named alike.

    `lost` says why it must be reset before it can be stepped. `doing` is what it was told to do,
    `before` how the episode before that ended, where the mode is same-step and it was lost.
    """

    number: int
    outcome: Outcome | None = None
    error: Exception | None = None
    observation: str | None = None
    ended: bool = False
    lost: str | None = None
    doing: Order | None = None
    before: Outcome | None = None
    tried: bool = False
    steps: int = 0
    remaining: int = 0
    task: str | None = None

    @property
    def busy(self) -> bool:
        return self.doing is not None

    @property
    def answered(self) -> bool:
        return self.outcome is not None or self.error is not None

    def void(self, why: str, tool: str, *, over: bool) -> Outcome:
        """The end of an episode that was lost: it pays nothing, and `over` says it was stepped."""
        info = {
            "step": self.steps,
            "remaining_steps": self.remaining,
            "tool": tool,
            "exit_reason": str(ExitReason.SANDBOX_ERROR),
            FAILURE: why,
            **({} if self.task is None else {"task": self.task}),
        }
        return Outcome(void_text(why), 0.0, False, over, info)

    def answer(self, found: Outcome) -> None:
        """Take in what its order came to."""
        if self.before is not None:
            end, self.before = self.before, None
            found = Outcome(
                found.observation, 0.0, False, True, found.info, (end.observation, end.info)
            )
        self.outcome, self.doing, self.tried = found, None, False
        self.observation = found.observation
        self.ended = found.final is None and (found.terminated or found.truncated)
        self.steps = found.info.get("step", self.steps)
        self.remaining = found.info.get("remaining_steps", self.remaining)
        self.task = found.info.get("task", self.task)


class FarRoom(Room):
    """A `Room` whose seats are in the `members`, each of which is started already."""

    def __init__(self, members: Sequence[Member]) -> None:
        count = sum(len(member.numbers) for member in members)
        self._far = [FarSeat(number) for number in range(count)]
        # A room asks them for what both kinds have.
        super().__init__(cast("Sequence[Seat]", self._far))
        self._members = members

    # Asking -----------------------------------------------------------------------------------

    def begin(self, actions: Sequence[str], chosen: Sequence[int], mode: AutoresetMode) -> None:
        self.expect_open("step")
        over = [number for number in chosen if self._far[number].ended]
        if over and mode is AutoresetMode.DISABLED:
            raise ResetNeeded(f"the episodes of {over} are over: reset them by a reset_mask")
        orders = [
            self._order(self._far[number], action, mode)
            for action, number in zip(actions, chosen, strict=True)
        ]
        self._ask([order for order in orders if order is not None])

    def _order(self, seat: FarSeat, action: str, mode: AutoresetMode) -> Order | None:
        """What it is to do; None where there is nothing, as it was lost since its last answer."""
        if mode is AutoresetMode.NEXT_STEP and seat.ended:
            return Order(seat.number, "anew")
        if seat.lost is None:
            return Order(seat.number, "step", action)
        end = seat.void(seat.lost, tool_of(action), over=True)
        if mode is AutoresetMode.SAME_STEP:
            seat.before = end
            return Order(seat.number, "anew")
        seat.answer(end)
        return None

    def begin_anew(self, chosen: Sequence[int], seeds: Sequence[int | None]) -> None:
        self.expect_open("reset")
        pairs = zip(chosen, seeds, strict=True)
        self._ask([Order(number, "anew", seed=seed) for number, seed in pairs])

    def reset(
        self,
        chosen: Sequence[int],
        seeds: Sequence[int | None],
        options: dict[str, Any] | None,
    ) -> list[Outcome]:
        """Reset these. Raises what the first of them raised, once all have been tried."""
        self._ask([Order(number, "reset", "", seeds[number], options) for number in chosen])
        self.run(len(self._far), None)
        failed = [seat.error for seat in self._far if seat.error is not None]
        found = [self._far[number].outcome for number in chosen]
        for seat in self._far:
            seat.outcome = seat.error = None
        if failed:
            raise failed[0]
        return [outcome for outcome in found if outcome is not None]

    def _ask(self, orders: Sequence[Order]) -> None:
        """Who asks nobody but these waits for all of them, it seems; else for whoever is first."""
        alone = not any(seat.busy for seat in self._far)
        for order in orders:
            self._far[order.number].doing = order
            if order.kind != "step":
                self._far[order.number].lost, self._far[order.number].ended = None, False
        for member in self._members:
            own = [order for order in orders if order.number in member.numbers]
            if own:
                member.ask(own, len(own) if alone else 1)

    # Answers ----------------------------------------------------------------------------------

    def run(self, wanted: int, timeout: float | None) -> None:
        if not self.asked():
            raise NoAsyncCallError("no step is under way", "step")
        end = None if timeout is None else time.monotonic() + timeout
        whole = wanted >= len(self._far)
        self._take(0.0)
        while any(seat.busy for seat in self._far):
            if not whole and len(self.answered()) >= wanted:
                return
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"not answered within {timeout:g} s")
            self._keep_asking(whole=whole)
            self._take(left)

    def _keep_asking(self, *, whole: bool) -> None:
        for member in self._members:
            busy = sum(self._far[number].busy for number in member.numbers)
            waits = bool(member.asked) and (whole or all(most == 1 for _, most in member.asked))
            if busy and not waits:
                member.ask((), busy if whole else 1)

    def _take(self, timeout: float | None) -> None:
        """Take in the answers of calls that have ended, waiting for the first one so long."""
        asked = {member.asked[0][0]: member for member in self._members if member.asked}
        if not asked:
            return
        ray = self._members[0].ray
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            # In short waits, as nobody tells when an actor has waited for its place too long.
            left = _LOOK_S if until is None else min(_LOOK_S, max(0.0, until - time.monotonic()))
            done, _ = ray.wait(list(asked), timeout=left, fetch_local=False)
            late = [member for member in asked.values() if member.is_late()]
            for member in late:
                self._lose(member, member.lateness())
            if late or done or (until is not None and time.monotonic() >= until):
                break
        done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0, fetch_local=False)
        for ref in done:
            if asked[ref] not in late:
                self._take_from(asked[ref])

    def _take_from(self, member: Member) -> None:
        try:
            for number, found in member.answers():
                self._answered_by(self._far[number], found)
        except LostError as error:
            self._lose(member, str(error))
        except (ConfigError, TaskError, SandboxError) as error:
            # It cannot be: its environments, its image or its data are not to be had there.
            self._lose(member, f"{member} is of no use: {error}")

    def _answered_by(self, seat: FarSeat, found: Answer | Outcome | Exception) -> None:
        if isinstance(found, Outcome):
            seat.answer(found)
        elif isinstance(found, Exception):
            seat.error, seat.doing, seat.tried = found, None, False

    # Losses -----------------------------------------------------------------------------------

    def _lose(self, member: Member, why: str) -> None:
        """An actor is no more: tell it of each episode, and have another one made."""
        member.kill()
        member.start()
        again: list[Order] = []
        for number in member.numbers:
            seat = self._far[number]
            order = seat.doing
            if order is None:
                seat.lost = why
            elif order.kind == "step":
                again += self._end(seat, why, order)
            elif not seat.tried:
                seat.tried = True
                again.append(order)
            elif order.kind == "reset":
                seat.lost, seat.doing, seat.tried = why, None, False
                seat.error = SandboxError(why)
            else:
                seat.answer(seat.void(why, "reset", over=False))
                seat.lost = why
        if again:
            member.ask(again, 1)

    def _end(self, seat: FarSeat, why: str, order: Order) -> list[Order]:
        """Its step ends its episode; in the mode same-step the next one is to begin with it."""
        end = seat.void(why, tool_of(order.action), over=True)
        if self._members[0].wanted.mode is not AutoresetMode.SAME_STEP:
            seat.answer(end)
            seat.lost = why
            return []
        seat.before, seat.doing = end, Order(seat.number, "anew")
        return [seat.doing]

    # The rest ---------------------------------------------------------------------------------

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """See `Share.call`."""
        refs = [(member, member.call(name, args, kwargs)) for member in self._members]
        return [found for member, ref in refs for found in self._got(member, ref)]

    def set_attr(self, name: str, values: Sequence[Any]) -> None:
        refs = [
            (member, member.set_attr(name, {number: values[number] for number in member.numbers}))
            for member in self._members
        ]
        for member, ref in refs:
            self._got(member, ref)

    def _got(self, member: Member, ref: Any) -> Any:
        try:
            return member.get(ref)
        except LostError as error:
            self._lose(member, str(error))
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            close_all(self._members)
