"""The agent's persistent bash, and the state machine of one command in it.

What bash is told, and by which pipes, stands in `script.py`.
"""

from __future__ import annotations

import os
import select
import time

from . import files, processes
from .light import signal, suppress
from .processes import Identity
from .script import (
    AGAIN,
    CONTROL_FD,
    IO,
    OUTPUT,
    PIECE,
    START,
    STATUS_FD,
    TEXT,
    TEXT_FD,
    new_token,
    parse_status,
    run_line,
)
from .tail import Tail

KILL_AFTER_S, RESTART_AFTER_S = 1.0, 0.5
TIMED_OUT = 124


class Command:
    """A command on its way. Times are on the monotonic clock, in seconds.

    `old` are processes left by earlier commands: not this one's to be killed for. `reborn`: bash
    had ended before, so that the command found nothing of what was set in it.
    """

    def __init__(
        self, output: Tail, seconds: float, began: float, token: bytes, reborn: bool = False
    ) -> None:
        self.token = token
        self.said = b""
        self.output = output
        self.seconds = seconds
        self.began = began
        self.deadline = began + seconds
        self.reborn = reborn
        self.old: set[int] = set()
        self.stage = "running"
        self.flooded = False


class Finished:
    """What a command came to; `notes` are sentences for the agent."""

    def __init__(
        self,
        command: Command,
        exit_code: int,
        output: bytes,
        truncated: bool,
        restarted: bool,
        notes: tuple[str, ...],
    ) -> None:
        self.exit_code = exit_code
        self.output = output
        self.truncated = truncated
        self.timed_out = command.stage != "running" and not command.flooded
        self.restarted = restarted
        self.seconds = time.monotonic() - command.began
        self.notes = notes


class Shell:
    """One bash, restarted when it ends, and at most one command in it."""

    def __init__(self, who: Identity, output_bytes: int, flood_bytes: int, text_fd: int) -> None:
        self.who = who
        self.output_bytes = output_bytes
        self.flood_bytes = flood_bytes
        self.pid = 0
        self.control = self.status = self.output = -1
        self.text = text_fd
        self.command: Command | None = None
        self.frozen = False
        self.others: set[int] = set()
        """Processes that the host opened: never signalled on account of a command."""
        self.renewed = False  # its pipes are others than before
        self.died: int | None = None  # the exit status of bash, once it was reaped

    def start(self) -> None:
        """Start bash in the workspace. Raises OSError where no process can be made."""
        control_read, self.control = os.pipe()
        # Bash opens it once more, by name, as the agent's user.
        os.fchmod(control_read, 0o444)
        self.status, status_write = os.pipe()
        os.set_blocking(self.status, False)
        # An agent can make the pipe small and leave it unread: nobody may wait for it.
        os.set_blocking(self.control, False)
        os.set_inheritable(self.text, False)
        os.fchmod(self.text, 0o644)
        readable = os.open(f"/proc/self/fd/{self.text}", os.O_RDONLY)
        null = os.open("/dev/null", os.O_RDWR)
        # Where the guest is the agent's own user, the agent can have put anything there.
        files.wipe(IO)
        os.symlink(f"/proc/self/fd/{TEXT_FD}", TEXT)
        self._fresh_output()
        fds = {
            0: null,
            1: null,
            2: null,
            CONTROL_FD: control_read,
            STATUS_FD: status_write,
            TEXT_FD: readable,
        }
        argv = ["bash", "--norc", "--noprofile", f"/dev/fd/{CONTROL_FD}"]
        self.died = None
        try:
            self.pid = processes.spawn(self.who, argv, fds, processes.WORKSPACE)
        finally:
            for fd in (control_read, status_write, readable, null):
                os.close(fd)
        os.write(self.control, START)

    def stop(self) -> None:
        """Release the descriptors of a bash that is gone or going."""
        for name in ("control", "status", "output"):
            fd = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)
        self.pid, self.frozen = 0, False

    def _fresh_output(self) -> None:
        if self.output >= 0:
            os.close(self.output)
        files.remove(OUTPUT)
        os.mkfifo(OUTPUT, 0o600)
        os.chmod(OUTPUT, 0o622)
        self.output = os.open(OUTPUT, os.O_RDONLY | os.O_NONBLOCK)
        self.renewed = True

    def begin(self, text: bytes, seconds: float, keep: int | None, *, reborn: bool = False) -> None:
        """Start a command; `seconds` is its limit, `keep` how many bytes of output are kept."""
        tail = Tail(keep or self.output_bytes)
        self.command = Command(tail, seconds, time.monotonic(), new_token(), reborn)
        if self.frozen:
            self.command.old = set(processes.all_pids())
            processes.everyone(signal.SIGCONT)
            self.frozen = False
        os.ftruncate(self.text, 0)
        os.pwrite(self.text, text, 0)
        os.write(self.control, run_line(self.command.token))

    def take_over(self, seconds: float, spent: float, tail: Tail, token: bytes) -> None:
        """Go on with a command that the host began, `spent` seconds ago, with what it has read."""
        self.command = Command(tail, seconds, time.monotonic() - spent, token)
        self._stop_flood(self.command)

    def drain(self) -> bool:
        """Take what the command has written; True at end of file (no process holds the pipe)."""
        command = self.command
        while True:
            try:
                data = os.read(self.output, PIECE)
            except BlockingIOError:
                return False
            if not data:
                return True
            if command is not None:
                command.output.add(data)
                if self._stop_flood(command):
                    return False

    def _stop_flood(self, command: Command) -> bool:
        """Whether the command has, just now, written too much: it is killed at the next tick."""
        if command.flooded or command.output.total <= self.flood_bytes:
            return False
        command.flooded = True
        command.deadline = 0.0
        return True

    def wait_s(self) -> float | None:
        """Seconds until `tick` has something to do, None where no command runs."""
        if self.command is None:
            return None
        return max(0.0, self.command.deadline - time.monotonic())

    def tick(self) -> bool:
        """Climb the ladder one rung where the deadline is past; True where bash must go."""
        command = self.command
        if command is None or time.monotonic() < command.deadline:
            return False
        young = self._young()
        if command.stage == "running" and young and not command.flooded:
            command.stage = "interrupted"
            command.deadline = time.monotonic() + KILL_AFTER_S
            self._signal(young, signal.SIGINT)
        elif command.stage in ("running", "interrupted") and young:
            command.stage = "killed"
            command.deadline = time.monotonic() + RESTART_AFTER_S
            self._signal(young, signal.SIGKILL)
        else:
            command.stage = "restarted"
            self._signal([*young, self.pid], signal.SIGKILL)
            return True
        return False

    def _young(self) -> list[int]:
        """The processes that this command started and that still run, held until `_signal`."""
        # A fork bomb outruns whoever counts it, and leaves him no time to.
        processes.everyone(signal.SIGSTOP, spare=[*self.others])
        old = self.command.old if self.command else set[int]()
        found: list[int] = []
        todo = [self.pid, 1]
        while todo:
            below = [pid for pid in processes.children(todo.pop()) if pid != self.pid]
            new = [pid for pid in below if pid not in old and pid not in self.others]
            found += new
            todo += new
        return found

    def _signal(self, pids: list[int], number: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        processes.everyone(signal.SIGCONT)

    def read_status(self) -> tuple[bool, int | None]:
        """(whether the pipe was closed, the command's exit status or None where it is not told)."""
        try:
            said = os.read(self.status, PIECE)
        except BlockingIOError:
            return False, None
        command = self.command
        if command is None or not said:
            return not said, None
        command.said = (command.said + said)[-PIECE:]
        status = parse_status(command.said, command.token)
        if status == AGAIN:
            command.said, status = b"", None
            with suppress(OSError):  # where bash has ended, the next reading tells
                os.write(self.control, run_line(command.token, whole=True))
        return False, status

    def finish(self, status: int, restarted: bool) -> Finished:
        """The end of the command: the last output, what is left behind is stopped."""
        command = self.command
        if command is None:
            raise RuntimeError("no command runs")
        told = restarted or command.reborn
        held = not self.drain()
        self.command = None
        left = [] if restarted else self._leftover()
        if left:
            processes.everyone(signal.SIGSTOP, spare=[self.pid, *self.others])
            self.frozen = True
        if held and not restarted:
            self._fresh_output()
        output, cut = command.output.result()
        notes = self._notes(command, told, held and bool(left))
        finished = Finished(command, status, output, bool(cut), told, notes)
        if finished.timed_out:
            finished.exit_code = TIMED_OUT
        return finished

    def _leftover(self) -> list[int]:
        spared = {self.pid, *self.others}
        return [p for p in processes.children(self.pid) + processes.children(1) if p not in spared]

    def _notes(self, command: Command, restarted: bool, held: bool) -> tuple[str, ...]:
        notes: list[str] = []
        if command.flooded:
            notes.append(f"more than {self.flood_bytes} bytes of output: the command was killed")
        elif command.stage != "running":
            done = {
                "interrupted": "it was interrupted",
                "killed": "it was killed",
                "restarted": "the shell was killed",
            }[command.stage]
            notes.append(f"no end after {command.seconds:g} s: {done}")
        if restarted:
            notes.append(
                "the shell ended; a new one was started in /workspace"
                " (variables, functions and background jobs are gone)"
            )
        elif held:
            notes.append(
                "a background process is left; it is stopped until the next command,"
                " and what it prints from here on is not shown: redirect it to a file"
            )
        return tuple(notes)

    def poll_output(self, poller: select.epoll) -> None:
        """Watch the output pipe by edges: between writers it would report a hang-up for ever."""
        poller.register(self.output, select.EPOLLIN | select.EPOLLET)
