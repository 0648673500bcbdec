"""Every place where the host's end of a sandbox waits, and the loop in which many wait at once.

Called from plain code these functions block, as a poll does. Called within a strand they suspend
that strand only, and the `Loop` that began it resumes whichever can go on first. So what lies
between an environment's `step` and its sandbox's pipe is written once, for one and for many.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import greenlet
from filelock import FileLock, Timeout

T = TypeVar("T")
Ready = list[tuple[int, int]]
"""What a poll gives: the descriptors that are ready, each with its `select.POLL*` bits."""
_LOCK_LOOK_S = 0.02
_NEVER = float("inf")
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
        self._waiting: set[Strand] = set()
        self._idle: list[Strand] = []
        self._soonest = _NEVER
        """No deadline is before it; that of a strand that went on may have been."""

    def begin(self, work: Callable[[], object]) -> Strand:
        """Run `work` until it waits for the first time, or ends."""
        strand = self._idle.pop() if self._idle else Strand(self)
        strand.work = work
        strand.resume()
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
        for fd, event in self._epoll.poll(None if wait == _NEVER else max(0.0, wait)):
            strand = self._by_fd[fd]
            strand.ready.append((fd, event))
            able[strand] = None
        now = time.monotonic()
        if now >= self._soonest:
            left = [strand for strand in self._waiting if strand.deadline > now]
            able.update(dict.fromkeys(self._waiting.difference(left)))
            self._soonest = min((strand.deadline for strand in left), default=_NEVER)
        for strand in able:
            self.forget(strand)
            strand.resume()

    def close(self) -> None:
        """End every strand where it waits: its clean-up runs, and what waits in it blocks.

        Idempotent.
        """
        self._end([*self._waiting, *self._idle])
        self._idle.clear()
        self._epoll.close()

    def _end(self, strands: Iterable[Strand]) -> None:
        for strand in list(strands):
            self.forget(strand)
            strand.end()

    def wait(self, strand: Strand, fds: tuple[int, ...], events: int, timeout: float) -> Ready:
        """Suspend the strand, which must be the one that runs. See `Readiness.wait`."""
        if strand.ending:
            return _poll(fds, events, timeout)
        strand.fds, strand.ready = fds, []
        strand.deadline = deadline = time.monotonic() + timeout
        if deadline < self._soonest:
            self._soonest = deadline
        for fd in fds:
            self._epoll.register(fd, events)
            self._by_fd[fd] = strand
        self._waiting.add(strand)
        strand.suspend()
        return strand.ready

    def forget(self, strand: Strand) -> None:
        """Look no more for what it waits for."""
        self._waiting.discard(strand)
        for fd in strand.fds:
            del self._by_fd[fd]
            try:
                self._epoll.unregister(fd)
            except OSError:  # closed meanwhile by somebody else
                continue
        strand.fds = ()


class Strand:
    """Does one piece of work after another, each of which may be suspended where it waits.

    `deadline` is on the monotonic clock.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.work: Callable[[], object] | None = None
        self.fds: tuple[int, ...] = ()
        self.ready: Ready = []
        self.deadline = _NEVER
        self.ending = False
        self._greenlet = _Greenlet(self._labour)
        self._greenlet.strand = self

    def _labour(self) -> None:
        while self.work is not None:
            work, self.work = self.work, None
            work()
            self.loop.done(self)
            self.suspend()

    def resume(self) -> None:
        self._greenlet.parent = _current()
        self._greenlet.switch()

    def suspend(self) -> None:
        """Give the thread back to whoever resumed it."""
        self._greenlet.parent.switch()

    def end(self) -> None:
        """End it where it waits; what its clean-up waits for blocks the thread."""
        self.ending = True
        self._greenlet.parent = _current()
        self._greenlet.throw(_GreenletExit)


class Readiness:
    """Waits for input on the same few descriptors again and again."""

    def __init__(self, *fds: int) -> None:
        self._fds = fds
        self._poller = select.poll()
        for fd in fds:
            self._poller.register(fd, select.POLLIN)

    def wait(self, timeout: float) -> Ready:
        """The descriptors that are ready; none where `timeout` seconds have passed."""
        strand: Strand | None = getattr(_current(), "strand", None)
        if strand is None:
            return self._poller.poll(timeout * 1000)
        return strand.loop.wait(strand, self._fds, select.POLLIN, timeout)

    def now(self) -> Ready:
        """The descriptors that are ready at this moment."""
        return self._poller.poll(0)


def within_strand() -> bool:
    """Whether this is one of many pieces of work in a loop."""
    return getattr(_current(), "strand", None) is not None


def wait_readable(fd: int, timeout: float) -> bool:
    """Whether there is input, or its end, within `timeout` seconds."""
    return bool(_wait((fd,), select.POLLIN, timeout))


def send_all(to: socket.socket, data: bytes) -> None:
    """Like `sendall` of a socket with a time-out, which is for each piece here. Raises OSError."""
    strand: Strand | None = getattr(_current(), "strand", None)
    # What a wrapped one sends is not what is written to its descriptor.
    if strand is None or type(to) is not socket.socket:
        to.sendall(data)
        return
    left = memoryview(data)
    while left:
        try:
            # With a time-out its descriptor does not block, while its own `send` would wait.
            left = left[os.write(to.fileno(), left) :]
        except BlockingIOError:
            limit = to.gettimeout()
            if not _wait((to.fileno(),), select.POLLOUT, _NEVER if limit is None else limit):
                raise TimeoutError("timed out") from None


def wait_ended(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Whether the process, a child of ours, has ended within `timeout` seconds."""
    if process.poll() is not None:
        return True
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:  # no descriptor is left, or it is forbidden
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
        return process.poll() is not None
    try:
        _wait((fd,), select.POLLIN, timeout)
    finally:
        os.close(fd)
    return process.poll() is not None


def pause(seconds: float) -> None:
    """Let time pass."""
    _wait((), 0, seconds)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock file at `path`, once nobody else does, in this thread or any other."""
    lock = FileLock(path)
    while True:
        # Blocking, a strand would wait for one that can no longer be resumed.
        with suppress(Timeout):
            lock.acquire(timeout=0)
            break
        pause(_LOCK_LOOK_S)
    try:
        yield
    finally:
        lock.release()


def _wait(fds: tuple[int, ...], events: int, timeout: float) -> Ready:
    strand: Strand | None = getattr(_current(), "strand", None)
    if strand is None:
        return _poll(fds, events, timeout)
    return strand.loop.wait(strand, fds, events, timeout)


def _poll(fds: tuple[int, ...], events: int, timeout: float) -> Ready:
    poller = select.poll()
    for fd in fds:
        poller.register(fd, events)
    return poller.poll(None if timeout == _NEVER else timeout * 1000)
