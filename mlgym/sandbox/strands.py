"""The loop in which many pieces of work wait at once, each a strand that is suspended meanwhile.

Where work waits is written in `mlgym.sandbox.waiting`, once for one and for many.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import greenlet

T = TypeVar("T")
Ready = list[tuple[int, int]]
"""What a poll gives: the descriptors that are ready, each with its `select.POLL*` bits."""
NEVER = float("inf")
# Its own stubs are not shipped with it.
_Greenlet: Callable[[Callable[[], object]], Any] = getattr(greenlet, "greenlet")  # noqa: B009
_current: Callable[[], Any] = getattr(greenlet, "getcurrent")  # noqa: B009
_GreenletExit: type[BaseException] = getattr(greenlet, "GreenletExit")  # noqa: B009


class Loop:
    """Resumes strands, each when a descriptor that it waits for is ready or its time is up.

    One thread's. What a strand raises comes out of the call that was running it, `begin` or `turn`;
    all others stay as they were.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._by_fd: dict[int, Strand] = {}
        self._kept: set[int] = set()
        """Looked at also while nobody waits for them, see `Readiness`."""
        self._waiting: set[Strand] = set()
        self._idle: list[Strand] = []
        self._soonest = NEVER
        """No deadline is before it; that of a strand that went on may have been."""

    def begin(self, work: Callable[[], object]) -> Strand:
        """Run `work` until it waits for the first time, or ends."""
        strand = self._idle.pop() if self._idle else Strand(self)
        strand.work = work
        strand.resume(_current())
        return strand

    def done(self, strand: Strand) -> None:
        """The strand has nothing to do any more: a new one would cost a stack."""
        self._idle.append(strand)

    def gather(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Run all at once; what they return, in their order.

        Raises what the first in order raised, once all have ended. Where this is interrupted, all
        are ended where they are.
        """
        results: dict[int, T] = {}
        errors: dict[int, Exception] = {}

        def keep(number: int) -> None:
            try:
                results[number] = works[number]()
            except Exception as error:  # noqa: BLE001 - raised below, when the others are done
                errors[number] = error

        begun: list[Strand] = []
        try:
            for number in range(len(works)):
                begun.append(self.begin(partial(keep, number)))
            while len(results) + len(errors) < len(works):
                self.turn()
        except BaseException:
            self._end(self._waiting.intersection(begun))
            raise
        if errors:
            raise errors[min(errors)]
        return [results[number] for number in range(len(works))]

    def turn(self, timeout: float | None = None) -> None:
        """Wait until some strand can go on, at most `timeout` seconds, and resume all that can."""
        wait = self._soonest - time.monotonic()
        if timeout is not None and timeout < wait:
            wait = timeout
        able: dict[Strand, None] = {}
        by_fd = self._by_fd
        for news in self._epoll.poll(None if wait == NEVER else max(0.0, wait)):
            strand = by_fd.get(news[0])
            if strand is None:
                self.release(news[0])
                continue
            strand.ready.append(news)
            able[strand] = None
        now = time.monotonic()
        if now >= self._soonest:
            left = [strand for strand in self._waiting if strand.deadline > now]
            able.update(dict.fromkeys(self._waiting.difference(left)))
            self._soonest = min((strand.deadline for strand in left), default=NEVER)
        here = _current()
        for strand in able:
            self.forget(strand)
            strand.resume(here)

    def close(self) -> None:
        """End every strand where it waits: its clean-up runs, and what waits in it blocks.

        Idempotent.
        """
        self._end([*self._waiting, *self._idle])
        self._idle.clear()
        self._kept.clear()
        self._epoll.close()

    def _end(self, strands: Iterable[Strand]) -> None:
        for strand in list(strands):
            self.forget(strand)
            strand.end()

    def wait(
        self,
        strand: Strand,
        fds: tuple[int, ...],
        events: int,
        timeout: float,
        *,
        keep: bool = False,
    ) -> Ready:
        """Suspend the strand, which must be the one that runs. See `Readiness`."""
        if strand.ending:
            return poll(fds, events, timeout)
        strand.fds, strand.ready = fds, []
        strand.deadline = deadline = time.monotonic() + timeout
        if deadline < self._soonest:
            self._soonest = deadline
        by_fd, kept = self._by_fd, self._kept
        for fd in fds:
            if fd not in kept:
                self._epoll.register(fd, events)
                if keep:
                    kept.add(fd)
            by_fd[fd] = strand
        self._waiting.add(strand)
        strand.suspend()
        return strand.ready

    def forget(self, strand: Strand) -> None:
        """Look no more for what it waits for."""
        self._waiting.discard(strand)
        for fd in strand.fds:
            del self._by_fd[fd]
            if fd not in self._kept:
                self._unregister(fd)
        strand.fds = ()

    def release(self, fd: int) -> None:
        """Keep it no longer."""
        if fd in self._kept:
            self._kept.discard(fd)
            self._unregister(fd)

    def _unregister(self, fd: int) -> None:
        with suppress(OSError):  # closed meanwhile by somebody else
            self._epoll.unregister(fd)


class Strand:
    """Does one piece of work after another, each of which may be suspended where it waits.

    `deadline` is on the monotonic clock.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.work: Callable[[], object] | None = None
        self.fds: tuple[int, ...] = ()
        self.ready: Ready = []
        self.deadline = NEVER
        self.ending = False
        self._greenlet = _Greenlet(self._labour)
        self._greenlet.strand = self

    def _labour(self) -> None:
        while self.work is not None:
            work, self.work = self.work, None
            work()
            self.loop.done(self)
            self.suspend()

    def resume(self, here: Any) -> None:
        """Give it the thread, which is `here` now, until it waits or has nothing left to do."""
        if self._greenlet.parent is not here:
            self._greenlet.parent = here
        self._greenlet.switch()

    def suspend(self) -> None:
        """Give the thread back to whoever resumed it."""
        self._greenlet.parent.switch()

    def end(self) -> None:
        """End it where it waits; what its clean-up waits for blocks the thread."""
        self.ending = True
        self._greenlet.parent = _current()
        self._greenlet.throw(_GreenletExit)


def current_strand() -> Strand | None:
    """The piece of work that runs, None in plain code."""
    return getattr(_current(), "strand", None)


def poll(fds: tuple[int, ...], events: int, timeout: float) -> Ready:
    """What is ready of these within `timeout` seconds, blocking the thread."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, events)
    return poller.poll(None if timeout == NEVER else timeout * 1000)
