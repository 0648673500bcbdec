"""The guest's event loop: descriptors with their handlers, and frames on their way to the host."""

from __future__ import annotations

import os
import select

from .frames import Header, pack
from .light import TYPE_CHECKING, suppress

if TYPE_CHECKING:
    from collections.abc import Callable

HOST_IN, HOST_OUT = 0, 1  # what the guest was started with


class HostGoneError(Exception):
    """The host closed its end: everything here ends with PID 1."""


class Loop:
    """One epoll, one handler a descriptor. Frames to the host are never waited for."""

    def __init__(self) -> None:
        self.poller = select.epoll()
        self.outgoing = bytearray()
        self.handlers: dict[int, Callable[[int], None]] = {}

    def turn(self, wait_s: float | None) -> None:
        """Wait for something to happen, `wait_s` at the longest, and handle it."""
        for fd, _ in self.poller.poll(-1 if wait_s is None else wait_s + 0.001):
            handler = self.handlers.get(fd)
            if handler is not None:
                handler(fd)

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        self.handlers[fd] = handler
        self.poller.register(fd, events)

    def watched(self, fd: int) -> bool:
        return fd in self.handlers

    def unwatch(self, fd: int) -> None:
        if self.handlers.pop(fd, None) is not None:
            with suppress(OSError):
                self.poller.unregister(fd)

    def send(self, header: Header, body: bytes = b"") -> None:
        idle = not self.outgoing
        self.outgoing += pack(header, body)
        if idle:
            self.flush(HOST_OUT)
            if self.outgoing:
                self.handlers[HOST_OUT] = self.flush
                # stdin and stdout may be one socket, but they are two descriptors to epoll.
                self.poller.register(HOST_OUT, select.EPOLLOUT)

    def flush(self, fd: int) -> None:
        try:
            while self.outgoing:
                del self.outgoing[: os.write(fd, self.outgoing[: 1 << 20])]
        except BlockingIOError:
            return
        except OSError as error:
            raise HostGoneError from error
        self.unwatch(HOST_OUT)
