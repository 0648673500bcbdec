"""The host's own hands on the agent's shell: most commands end without a word to the guest.

Where host and guest share a kernel, the guest sends copies of the shell's pipes. The host then puts
a command's text into the memfd, tells bash to source it, and reads output and status itself. What
only PID 1 can do is handed back to the guest by `take_over`: a command that is late, floods, leaves
processes behind, or ends its bash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from select import POLLIN
from typing import Any

from mlgym.sandbox.guest.script import AGAIN, PIECE, new_tokens, parse_status, run_line
from mlgym.sandbox.guest.tail import Tail
from mlgym.sandbox.waiting import Readiness
from mlgym.types import ExecResult

_FIRST_LOOK_S, _LONGEST_PAUSE_S = 0.001, 0.032
_LOOK_AMONG_MANY_S = 0.02
"""The first look where many share the processors: a short one would mostly be in vain."""
_PIPES = 4
_UNKNOWN = 1 << 62
"""More than any text's size, in bytes."""
_LITTLE = 4096
"""What is read first, in bytes: room for more would cost more than most commands say."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """A command that the guest must take over: the fields of that request, and its body."""

    header: Mapping[str, Any]
    kept: bytes


class DirectShell:
    """The pipes of one guest's shell, as they are at the moment.

    `inbox` is where the guest sends them; `guest_pid` is its process id on the host.
    """

    def __init__(self, inbox: socket.socket, guest_pid: int) -> None:
        self._inbox = inbox
        self._guest_pid = guest_pid
        self._received = 0
        self._fds: list[int] = []
        self._control = self._status = self._text = self._output = -1
        self._news = self._end = Readiness()
        self._tokens = new_tokens()
        self._whole = False
        """Whether bash has lost the short form of what it is told."""
        self._text_size = _UNKNOWN
        self._children: tuple[int, int] = (-1, -1)
        self._only_bash = b""
        self.ready = False
        """Whether `run` may be called: the pipes are there, and no process stands still."""
        self.underway = False
        """Whether a command was begun here whose end nobody has seen."""

    def update(self, handed: int, frozen: bool) -> None:
        """Take in the pipes that the guest has sent, `handed` times by now.

        Raises:
            OSError: it did not send them.
        """
        self.underway = False
        # The guest may have put a text of its own there.
        self._text_size = _UNKNOWN
        while self._received < handed:
            said, fds, flags, _ = socket.recv_fds(self._inbox, 4, _PIPES)
            self._received += 1
            self._let_go()
            self._fds = fds
            if flags & socket.MSG_CTRUNC:
                raise OSError(errno.EMFILE, f"{os.strerror(errno.EMFILE)} (see `ulimit -n`)")
            if len(said) != 4 or len(fds) != _PIPES:
                raise OSError("the guest sent no pipes")
            self._take(struct.unpack("i", said)[0])
        self.ready = bool(self._only_bash) and not frozen

    def _take(self, shell: int) -> None:
        self._control, self._status, self._text, self._output = self._fds
        self._news = Readiness(self._status, self._output)
        self._end = Readiness(self._status, keep=True)
        self._whole = False
        bash = _host_pid(self._guest_pid, shell)
        if bash is not None:
            with contextlib.suppress(OSError):
                self._children = (_open_children(self._guest_pid), _open_children(bash))
                self._fds += self._children
                self._only_bash = f"{bash} ".encode()

    def _let_go(self) -> None:
        self._end.close()
        for fd in self._fds:
            os.close(fd)
        self._fds, self._only_bash, self.ready = [], b"", False

    def close(self) -> None:
        """Release everything. Idempotent."""
        self._let_go()
        self._inbox.close()

    def run(
        self, text: bytes, timeout: float, keep: int, flood: int
    ) -> ExecResult | HandedBack | None:
        """Run a command for at most `timeout` seconds; None where bash is gone or deaf.

        `keep` bytes of output are kept, of at most `flood`.
        """
        began = time.monotonic()
        token = next(self._tokens)
        self.underway = True
        # Not emptied before: a page that is given back must be had again.
        os.pwrite(self._text, text, 0)
        if len(text) < self._text_size:
            os.ftruncate(self._text, len(text))
        self._text_size = len(text)
        try:
            os.write(self._control, run_line(token, whole=self._whole))
        except (BrokenPipeError, BlockingIOError):
            return None
        output = b""
        # Most commands say little and end at once: one wait instead of one for each line.
        told = self._told() if self._end.wait(_FIRST_LOOK_S, _LOOK_AMONG_MANY_S) else None
        status = parse_status(told, token) if told else None
        if status is not None and status != AGAIN and self._nothing_left():
            output = self._said(_LITTLE)
            if len(output) < _LITTLE <= keep // 2:
                return self._ended(output, status, began)
        tail = Tail(keep)
        tail.add(output)
        status = self._wait(told, token, began + timeout, tail, flood)
        # Once nobody is left who could write, what is there is all.
        if status is not None and self._nothing_left() and self._drain(tail, flood):
            output, cut = tail.result()
            return self._ended(output, status, began, truncated=cut > 0)
        header: dict[str, Any] = {
            "timeout": timeout,
            "spent": time.monotonic() - began,
            "total": tail.total,
            "keep": keep,
            "token": token.decode(),
        }
        if status is not None:
            header["status"] = status
        return HandedBack(header, tail.kept())

    def _ended(
        self, output: bytes, status: int, began: float, *, truncated: bool = False
    ) -> ExecResult:
        """The command came to its end, and left nothing behind."""
        self.underway = False
        text, spent = output.decode("utf-8", "replace"), time.monotonic() - began
        return ExecResult(text, status, truncated=truncated, duration_s=spent)

    def _wait(
        self, news: bytes | None, token: bytes, deadline: float, tail: Tail, flood: int
    ) -> int | None:
        """The command's exit status; None where it is late, floods, or bash closed the pipe.

        `news` is what was told by now, see `_told`.
        """
        said, pause_s = b"", _FIRST_LOOK_S
        while True:
            if news is not None:
                said = (said + news)[-PIECE:]
                status = parse_status(said, token)
                if status == AGAIN:
                    said, self._whole = b"", True
                    with contextlib.suppress(OSError):  # where bash has ended, its pipe tells
                        os.write(self._control, run_line(token, whole=True))
                elif status is not None or not news:
                    return status
            left = deadline - time.monotonic()
            if left <= 0 or tail.total > flood:
                return None
            ready = dict(self._news.wait(left + 0.001))
            ended = self._status in ready
            news = self._told() if ended else None
            if ready.get(self._output, 0) & POLLIN:
                self._drain(tail, flood)
            elif self._output in ready and not ended:
                # Nobody writes, not yet or no more: without a pause this would spin.
                self._end.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _told(self) -> bytes | None:
        """What the status pipe holds; None where it was something else that was ready."""
        try:
            return os.read(self._status, _LITTLE)
        except BlockingIOError:  # a descriptor of the same number, just closed
            return None

    def _drain(self, tail: Tail, flood: int) -> bool:
        """Take all that was written by now; False where it floods."""
        room = _LITTLE
        while tail.total <= flood:
            data = self._said(room)
            tail.add(data)
            if len(data) < room:
                return True
            room = PIECE
        return False

    def _said(self, most: int) -> bytes:
        """What was written by now, of at most so many bytes."""
        try:
            return os.read(self._output, most)
        except BlockingIOError:
            return b""

    def _nothing_left(self) -> bool:
        """Whether bash is the only process of the sandbox but PID 1."""
        guest, bash = self._children
        return os.pread(guest, 64, 0) == self._only_bash and not os.pread(bash, 64, 0)


def _open_children(pid: int) -> int:
    return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def _host_pid(guest: int, inner: int) -> int | None:
    """The process id on the host of the guest's child that is `inner` inside; None if unknown."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{guest}/task/{guest}/children").read_text()
        for pid in map(int, children.split()):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("NSpid:") and int(line.split()[-1]) == inner:
                    return pid
    return None
