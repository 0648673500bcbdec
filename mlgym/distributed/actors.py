"""A Ray actor with its share of the environments, as the driver sees it: asked, rung, lost, new."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mlgym.distributed.share import Answer, Order, Share, Wanted
from mlgym.errors import SandboxError

_CLOSE_S = 30.0


class LostError(SandboxError):
    """The actor is no more, and what it held is lost."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What each actor asks Ray for, and for how many seconds it may wait to be given it."""

    cpus: float
    gpus: float
    start_timeout_s: float


def made(ray: Any, placement: Placement, wanted: Wanted, numbers: Sequence[int]) -> Any:
    """A new actor's handle; it need not be placed yet."""

    class Seats:
        """Two threads: one does all work, one may ring while that waits."""

        _share: Share

        def prepare(self) -> dict[str, Any]:
            # Not when it is made: Ray would tell of an error then as of a death.
            self._share = Share(wanted, numbers, [str(one) for one in ray.get_gpu_ids()])
            self._share.prepare()
            return self._share.describe()

        def here(self) -> None:
            pass

        def work(self, orders: Sequence[Order], most: int, rung: int) -> list[Answer]:
            return self._share.work(orders, most, rung)

        def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
            return self._share.call(name, args, kwargs)

        def set_attr(self, name: str, values: Mapping[int, Any]) -> None:
            self._share.set_attr(name, values)

        def close(self) -> None:
            self._share.close()

        def ring(self) -> None:
            self._share.ring()

    # What was in it is lost with it: only the vector knows what must be begun anew, so that Ray
    # neither restarts it nor repeats a call.
    remote = ray.remote(
        num_cpus=placement.cpus,
        num_gpus=placement.gpus,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy="SPREAD",
        concurrency_groups={"bell": 1},
    )(Seats)
    return remote.remote()


@dataclass(slots=True)
class Member:
    """One actor after the other, with the same environments.

    `asked` are the calls under way, oldest first, each with how many answers it waits for.
    """

    ray: Any
    placement: Placement
    wanted: Wanted
    numbers: tuple[int, ...]
    attributes: dict[str, dict[int, Any]] = field(default_factory=dict[str, dict[int, Any]])
    asked: list[tuple[Any, int]] = field(default_factory=list[tuple[Any, int]])
    _actor: Any = None
    _rings: int = 0
    _ready: Any = None
    _placed: Any = None
    """A call that ends as soon as the actor has its place; None once it has."""
    _due: float = 0.0

    def start(self) -> None:
        """Ask for an actor that has what was set on the environments before."""
        self._actor = made(self.ray, self.placement, self.wanted, self.numbers)
        self._placed = self._actor.here.options(concurrency_group="bell").remote()
        self._ready = self._actor.prepare.remote()
        self._due = time.monotonic() + self.placement.start_timeout_s
        self.asked.clear()
        self._rings = 0
        for name, values in self.attributes.items():
            self._actor.set_attr.remote(name, values)

    def ask(self, orders: Sequence[Order], most: int) -> None:
        """Begin these, after what is under way, and wait for so many answers."""
        if self.asked:
            self.ring()
        else:
            self._due = time.monotonic() + self.placement.start_timeout_s
        self.asked.append((self._actor.work.remote(list(orders), most, self._rings), most))

    def ring(self) -> None:
        """Have what is under way come back with what has been answered."""
        self._rings += 1
        self._actor.ring.options(concurrency_group="bell").remote()

    def is_placed(self, within_s: float = 0.0) -> bool:
        """Whether it has its place within so many seconds."""
        if self._placed is not None and self.ray.wait([self._placed], timeout=within_s)[0]:
            self._placed = None
        return self._placed is None

    def is_late(self) -> bool:
        """Whether it has waited for its place all too long."""
        return not self.is_placed() and time.monotonic() >= self._due

    def described(self) -> dict[str, Any]:
        """What it tells of its environments, once it is ready. Raises as they do, SandboxError."""
        if not self.is_placed(max(0.0, self._due - time.monotonic())):
            raise SandboxError(self.lateness())
        return self.get(self._ready)

    def lateness(self) -> str:
        place = self.placement
        return (
            f"{self} was not given its place ({place.cpus:g} CPUs, {place.gpus:g} GPUs) within"
            f" {place.start_timeout_s:g} s"
        )

    def answers(self) -> list[Answer]:
        """Those of the oldest call, which has ended. Raises LostError."""
        found = self.get(self.asked[0][0])
        # Not before: who interrupts that finds it again.
        self.asked.pop(0)
        return found

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return self._actor.call.remote(name, args, kwargs)

    def set_attr(self, name: str, values: dict[int, Any]) -> Any:
        self.attributes[name] = values
        if self.asked:
            self.ring()
        return self._actor.set_attr.remote(name, values)

    def get(self, ref: Any) -> Any:
        """What a call came to. Raises what it raised; LostError where there is nobody any more."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(ref)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            told = str(error).strip().partition("\n")[0]
            raise LostError(f"{self} is lost: {type(error).__name__}: {told}") from None

    def closing(self) -> Any:
        return self._actor.close.remote()

    def kill(self) -> None:
        """End it, whatever it does: its sandboxes end with it."""
        with suppress(self.ray.exceptions.RayError, ValueError):
            self.ray.kill(self._actor)

    def __str__(self) -> str:
        first, last = self.numbers[0], self.numbers[-1]
        which = f"environment {first}" if first == last else f"environments {first} to {last}"
        return f"the Ray actor of {which}"


def close_all(members: Sequence[Member]) -> None:
    """Release every environment, waiting for all ends together, and end the actors."""
    ray = members[0].ray
    if not ray.is_initialized():
        return
    placed = [member for member in members if member.is_placed()]
    for member in placed:
        # It may wait for an answer that nobody wants any more.
        member.ring()
    if placed:
        closing = [member.closing() for member in placed]
        ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)
    for member in members:
        member.kill()
