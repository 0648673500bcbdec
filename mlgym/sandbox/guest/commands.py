"""Commands in the agent's shell: begun by the host's requests, ended by the shell's pipes.

Where the host holds the shell's pipes too (`hand_over`) it runs most commands by itself, and this
steps in for what only PID 1 can do: a command that is late, floods, leaves processes behind, or
ends its bash. So between commands nobody here listens to those pipes.
"""

from __future__ import annotations

import os
import select
import struct

from . import processes
from .frames import Header
from .light import signal, suppress
from .loop import Loop
from .processes import Identity
from .shell import Finished, Shell
from .tail import Tail

KILLED = 137


class Commands:
    """The shell's place in the loop, and the answers to `run` and `take_over`."""

    def __init__(
        self, loop: Loop, who: Identity, header: Header, others: set[int], text_fd: int
    ) -> None:
        self.loop = loop
        self.shell = Shell(who, header["output_bytes"], header["flood_bytes"], text_fd)
        self.shell.others = others
        self.watched: tuple[int, int] = (-1, -1)
        self.request = 0
        """The number of the request whose command runs."""
        self.handed = 0
        """How often the pipes were handed over: the host waits for as many."""
        self.hand_fd: int | None = header.get("hand_over")
        if self.hand_fd is not None:
            os.set_inheritable(self.hand_fd, False)

    # The shell's life ------------------------------------------------------------------------

    def start(self) -> None:
        self.shell.start()
        self.hand_over()

    def stop(self) -> None:
        self.unwatch()
        self.shell.stop()
        self.shell.command = None

    def hand_over(self) -> None:
        """Send the host copies of the shell's pipes, where it can take them and they are new."""
        if self.hand_fd is None or not self.shell.renewed:
            return
        import _socket  # the module of that name without the underscore takes milliseconds

        shell = self.shell
        fds = struct.pack("4i", shell.control, shell.status, shell.text, shell.output)
        place = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self.hand_fd)
        try:
            rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)
            place.sendmsg([struct.pack("i", shell.pid)], [rights])
        finally:
            place.detach()
        self.handed += 1
        shell.renewed = False

    def watch(self) -> None:
        self.watched = (self.shell.status, self.shell.output)
        self.loop.watch(self.shell.status, select.EPOLLIN, self.on_status)
        self.loop.handlers[self.shell.output] = self.on_output
        self.shell.poll_output(self.loop.poller)

    def unwatch(self) -> None:
        for fd in self.watched:
            self.loop.unwatch(fd)
        self.watched = (-1, -1)

    # Requests --------------------------------------------------------------------------------

    def run(self, header: Header, body: bytes) -> None:
        """Run a whole command. `fresh`: the host gave up on one that it had begun itself."""
        reborn = (
            self.shell.command is not None or self.shell.died is not None or header.get("fresh")
        )
        if reborn:
            self.restart(KILLED)
        self.request = header["id"]
        begin = (body, header["timeout"], header.get("keep"))
        try:
            self.shell.begin(*begin, reborn=bool(reborn))
        except (BrokenPipeError, BlockingIOError):
            # Bash died just now and its end is not reaped yet, or it reads nothing any more.
            self.shell.command = None
            self.restart(KILLED)
            self.shell.begin(*begin, reborn=True)
        self.watch()

    def take_over(self, header: Header, body: bytes) -> None:
        """Go on with a command that the host began; `body` is the output that it kept."""
        self.request = header["id"]
        tail = Tail(header.get("keep") or self.shell.output_bytes, body, header["total"])
        token = header["token"].encode()
        self.shell.take_over(header["timeout"], header["spent"], tail, token)
        if "status" in header:
            self.answer(self.shell.finish(header["status"], restarted=False))
        elif self.shell.died is not None:
            self.restart(None)
        else:
            self.watch()

    # What happens ----------------------------------------------------------------------------

    def tick(self) -> None:
        """The command's time may be up."""
        if self.shell.tick():
            self.restart(KILLED)

    def on_output(self, fd: int) -> None:
        del fd
        self.shell.drain()

    def on_status(self, fd: int) -> None:
        closed, status = self.shell.read_status()
        if closed:
            # The pipe was closed: bash ended, or became another program by `exec`. Its end, or the
            # command's deadline, says the rest.
            self.loop.unwatch(fd)
        elif status is not None and self.shell.command is not None:
            self.answer(self.shell.finish(status, restarted=False))

    def stopped(self, pid: int) -> None:
        """A child stands still: bash must not while a command runs, whoever has stopped it."""
        if pid == self.shell.pid and self.shell.command is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def ended(self, pid: int, status: int) -> None:
        """A child was reaped; perhaps it is bash."""
        if pid != self.shell.pid:
            return
        self.shell.died = status
        if self.shell.command is not None:
            self.restart(None)

    def restart(self, status: int | None) -> None:
        """Bash is gone, or must go: end it, answer for its command, start another."""
        shell = self.shell
        if not shell.others:
            processes.everyone(signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(shell.pid, signal.SIGKILL)
        if shell.died is None:
            with suppress(ChildProcessError):
                code = os.waitstatus_to_exitcode(os.waitpid(shell.pid, 0)[1])
                shell.died = 128 - code if code < 0 else code
        finished = None
        if shell.command is not None:
            code = shell.died if status is None else status
            finished = shell.finish(KILLED if code is None else code, restarted=True)
        self.unwatch()
        shell.stop()
        self.start()
        if finished is not None:
            self.answer(finished)

    def answer(self, finished: Finished) -> None:
        self.unwatch()
        self.hand_over()
        header: Header = {
            "id": self.request,
            "ok": True,
            "exit": finished.exit_code,
            "truncated": finished.truncated,
            "timed_out": finished.timed_out,
            "restarted": finished.restarted,
            "seconds": finished.seconds,
            "notes": finished.notes,
            "handed": self.handed,
            "frozen": self.shell.frozen,
        }
        self.loop.send(header, finished.output)
