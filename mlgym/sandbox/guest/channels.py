"""Processes joined to the host: their output flows out on credit, their input waits in memory."""

from __future__ import annotations

import os
import select

from . import processes
from .frames import CHUNK, CREDIT, Header
from .light import TYPE_CHECKING, suppress
from .loop import Loop
from .processes import ChannelProcess, Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from .processes import Work


class Channels:
    """All open channels by number, and the process ids behind them."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.open_ones: dict[int, ChannelProcess] = {}
        self.pids: set[int] = set()

    def open(self, who: Identity, number: int, work: Work, cwd: str) -> None:
        """Start the process of a new channel. Raises OSError."""
        channel = processes.open_process(who, number, work, cwd, CREDIT)
        self.open_ones[number] = channel
        self.pids.add(channel.pid)
        for fd, handler in ((channel.stdout, self.on_stdout), (channel.stderr, self.on_stderr)):
            if fd is not None:
                self.loop.watch(fd, select.EPOLLIN, _bound(handler, channel))

    def take(self, header: Header, body: bytes) -> None:
        """Bytes for a process's stdin."""
        channel = self.open_ones.get(header["channel"])
        if channel is None or channel.stdin is None:
            return
        channel.waiting += body
        channel.close_when_sent = channel.close_when_sent or bool(header.get("end"))
        self.feed(channel)

    def feed(self, channel: ChannelProcess) -> None:
        fd = channel.stdin
        if fd is None:
            return
        try:
            while channel.waiting:
                sent = os.write(fd, channel.waiting[:CHUNK])
                del channel.waiting[:sent]
                self.tell_fed(channel, sent)
        except BlockingIOError:
            if not self.loop.watched(fd):
                self.loop.watch(fd, select.EPOLLOUT, lambda _: self.feed(channel))
            return
        except OSError:
            channel.waiting.clear()
            channel.close_when_sent = True
        self.loop.unwatch(fd)
        if channel.close_when_sent:
            channel.close("stdin")

    def tell_fed(self, channel: ChannelProcess, count: int) -> None:
        """Tell the host, now and then, how much the process has taken in."""
        channel.fed += count
        if channel.fed >= CREDIT // 2:
            self.loop.send({"channel": channel.number, "fed": channel.fed})
            channel.fed = 0

    def credit(self, header: Header) -> None:
        """The host has consumed so many bytes."""
        channel = self.open_ones.get(header["channel"])
        if channel is None or channel.stdout is None:
            return
        channel.credit += header["bytes"]
        if channel.credit > 0 and not self.loop.watched(channel.stdout):
            self.loop.watch(channel.stdout, select.EPOLLIN, _bound(self.on_stdout, channel))

    def kill(self, header: Header) -> None:
        channel = self.open_ones.get(header["channel"])
        if channel is not None:
            channel.kill()

    def on_stdout(self, channel: ChannelProcess) -> None:
        fd = channel.stdout
        if fd is None:
            return
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.loop.unwatch(fd)
            channel.close("stdout")
            self.tell_end(channel)
            return
        self.loop.send({"channel": channel.number, "data": True, "cpu": channel.cpu_s()}, data)
        channel.credit -= len(data)
        if channel.credit <= 0:
            self.loop.unwatch(fd)

    def on_stderr(self, channel: ChannelProcess) -> None:
        fd = channel.stderr
        if fd is None:
            return
        with suppress(BlockingIOError):
            data = os.read(fd, CHUNK)
            channel.note_error(data)
            if not data:
                self.loop.unwatch(fd)
                channel.close("stderr")

    def tell_end(self, channel: ChannelProcess) -> None:
        """Tell the host of the end of output and of the process, each as soon as it is known."""
        if channel.stderr is not None and channel.status is not None:
            self.on_stderr(channel)
        header: Header = {"channel": channel.number, "eof": channel.stdout is None}
        if channel.status is not None:
            header["status"] = channel.status
            header["stderr"] = channel.errors.decode("utf-8", "replace")
        self.loop.send(header)
        if channel.status is not None and channel.stdout is None:
            self.forget(channel)

    def forget(self, channel: ChannelProcess) -> None:
        for name in ("stdin", "stdout", "stderr"):
            fd: int | None = getattr(channel, name)
            if fd is not None:
                self.loop.unwatch(fd)
                channel.close(name)
        self.pids.discard(channel.pid)
        self.open_ones.pop(channel.number, None)

    def ended(self, pid: int, status: int) -> None:
        """A child was reaped; perhaps it is one of ours."""
        for channel in list(self.open_ones.values()):
            if channel.pid == pid:
                channel.status = status
                self.tell_end(channel)

    def forget_all(self) -> None:
        for channel in list(self.open_ones.values()):
            self.forget(channel)


def _bound(
    handler: Callable[[ChannelProcess], None], channel: ChannelProcess
) -> Callable[[int], None]:
    return lambda _: handler(channel)
