"""Every place where the host's end of a sandbox waits.

Called from plain code these functions block, as a poll does. Called within a strand they suspend
that strand only, and the loop that began it resumes whichever can go on first: see
`mlgym.sandbox.strands`. So what lies between an environment's `step` and its sandbox's pipe is
written once, for one and for many.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mlgym.sandbox.strands import NEVER, Loop, Ready, Strand, current_strand, poll

_LOCK_LOOK_S = 0.02


class Readiness:
    """Waits for input on the same few descriptors again and again.

    With `keep` a loop goes on looking at them between two waits, which spares it two calls for each
    wait: for descriptors at which something comes only when it is waited for. They must not be
    closed before `close` was called.
    """

    def __init__(self, *fds: int, keep: bool = False) -> None:
        self._fds = fds
        self._keep = keep
        self._loop: Loop | None = None
        self._poller = select.poll()
        for fd in fds:
            self._poller.register(fd, select.POLLIN)

    def wait(self, timeout: float, among_many: float | None = None) -> Ready:
        """The descriptors that are ready; none where `timeout` seconds have passed.

        `among_many` is the time in a strand, where it is another one.
        """
        strand: Strand | None = current_strand()
        if strand is None:
            return self._poller.poll(timeout * 1000)
        loop = strand.loop
        timeout = timeout if among_many is None else among_many
        if self._keep and loop is not self._loop:
            self.close()
            self._loop = loop
        return loop.wait(strand, self._fds, select.POLLIN, timeout, keep=self._keep)

    def close(self) -> None:
        """No loop looks at them any more. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is not None:
            for fd in self._fds:
                loop.release(fd)

    def now(self) -> Ready:
        """The descriptors that are ready at this moment."""
        return self._poller.poll(0)


def within_strand() -> bool:
    """Whether this is one of many pieces of work in a loop."""
    return current_strand() is not None


def wait_readable(fd: int, timeout: float) -> bool:
    """Whether there is input, or its end, within `timeout` seconds."""
    return bool(_wait((fd,), select.POLLIN, timeout))


def send_all(to: socket.socket, data: bytes) -> None:
    """Like `sendall` of a socket with a time-out, which is for each piece here. Raises OSError."""
    strand: Strand | None = current_strand()
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
            if not _wait((to.fileno(),), select.POLLOUT, NEVER if limit is None else limit):
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
    strand: Strand | None = current_strand()
    if strand is None:
        return poll(fds, events, timeout)
    return strand.loop.wait(strand, fds, events, timeout)
