"""The guest's one loop: frames from the host, the shell's pipes, channels, ended children."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal

from . import files, processes
from .channels import Channels
from .frames import CHUNK, FrameParser, Header
from .loop import HOST_IN, HOST_OUT, HostGoneError, Loop
from .processes import Identity
from .shell import PIECE, Finished, Shell

WORKSPACE = processes.WORKSPACE
MAX_BODY = 1 << 31
SETTLE_S = 5.0


class Server:
    """Answers the host until it goes away. Requests are served in order, one at a time."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.parser = FrameParser(MAX_BODY)
        self.channels = Channels(self.loop)
        self.entries: list[files.Entry] = []
        self.content = b""
        self.wipe: list[str] = []
        self.keep: dict[str, list[str]] = {}
        self.who = Identity(0, 0, {}, {})
        self.shell = Shell(self.who, 1, 1)
        self.shell_fds: tuple[int, int] = (-1, -1)
        self.request = self.running = 0
        """The numbers of the request at hand, and of the one whose command runs."""

    def serve(self) -> None:
        """Until the host is gone."""
        os.set_blocking(HOST_IN, False)
        os.set_blocking(HOST_OUT, False)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noticed)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        self.loop.watch(HOST_IN, select.EPOLLIN, self.on_host)
        self.loop.watch(wake_read, select.EPOLLIN, self.on_children)
        while True:
            self.loop.turn(self.shell.wait_s())
            if self.shell.tick():
                self.restart_shell(137)

    # The host's end ------------------------------------------------------------------------

    def reply(self, header: Header, body: bytes = b"") -> None:
        """Answer the request at hand, under its number."""
        self.loop.send({**header, "id": self.request}, body)

    def on_host(self, fd: int) -> None:
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            raise HostGoneError from error
        if not data:
            raise HostGoneError
        self.parser.feed(data)
        for header, body in self.parser.frames():
            self.request = header.get("id", 0)
            try:
                getattr(self, f"do_{header['op']}")(header, body)
            except OSError as error:
                self.reply(_failure(error))

    def do_setup(self, header: Header, body: bytes) -> None:
        """Who the agent is, the limits, the starter files; then a first reset."""
        who = header["who"]
        self.who = Identity(who["uid"], who["gid"], who["environment"], who["rlimits"])
        self.entries, self.content = header["entries"], body
        self.wipe, self.keep = header["wipe"], header["keep"]
        if self.who.drops:
            for folder in self.wipe:
                os.chown(folder, self.who.uid, self.who.gid)
        self.shell = Shell(self.who, header["output_bytes"], header["flood_bytes"])
        self.shell.others = self.channels.pids
        self.do_reset(header, b"")

    def do_reset(self, header: Header, body: bytes) -> None:
        """Kill all, wipe, lay anew, start a new shell."""
        del header, body
        self.end_everything()
        for folder in self.wipe:
            keep = self.keep.get(folder, [])
            files.wipe(folder, keep)
            if folder != WORKSPACE:
                os.utime(folder, (files.FIXED_MTIME, files.FIXED_MTIME))
        entries = [e for e in self.entries if e["path"] not in self.keep.get(WORKSPACE, [])]
        files.lay(WORKSPACE, entries, self.content, self.who.uid, self.who.gid)
        self.start_shell()
        self.reply({"ok": True})

    def end_everything(self) -> None:
        self.unwatch_shell()
        self.shell.stop()
        self.shell.command = None
        processes.everyone(signal.SIGKILL)
        signal.signal(signal.SIGALRM, _too_late)
        signal.setitimer(signal.ITIMER_REAL, SETTLE_S)
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.channels.forget_all()

    # The shell -----------------------------------------------------------------------------

    def start_shell(self) -> None:
        self.shell.start()
        self.watch_shell()

    def watch_shell(self) -> None:
        self.unwatch_shell()
        self.shell_fds = (self.shell.status, self.shell.output)
        self.loop.watch(self.shell.status, select.EPOLLIN, self.on_status)
        self.loop.handlers[self.shell.output] = self.on_output
        self.shell.poll_output(self.loop.poller)
        self.shell.renewed = False

    def unwatch_shell(self) -> None:
        for fd in self.shell_fds:
            self.loop.unwatch(fd)
        self.shell_fds = (-1, -1)

    def do_run(self, header: Header, body: bytes) -> None:
        if self.shell.command is not None:
            # The host gave up on it.
            self.restart_shell(137)
        self.running = self.request
        try:
            self.shell.begin(body, header["timeout"])
        except BrokenPipeError:
            # Bash died between two commands, by a background job's hand.
            self.restart_shell(137)
            self.shell.begin(body, header["timeout"])

    def on_output(self, fd: int) -> None:
        del fd
        self.shell.drain()

    def on_status(self, fd: int) -> None:
        del fd
        happened, status = self.shell.read_status()
        if not happened:
            return
        if status is None:
            # The pipe was closed: bash ended, or became another program by `exec`. Its end, or the
            # command's deadline, says the rest.
            self.loop.unwatch(self.shell.status)
        elif self.shell.command is not None:
            self.answer(self.shell.finish(status, restarted=False))

    def restart_shell(self, status: int | None) -> None:
        """Bash is gone, or has closed its status pipe: end it, answer, start another."""
        pid = self.shell.pid
        if not self.shell.others:
            processes.everyone(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if self.shell.died is None:
            with contextlib.suppress(ChildProcessError):
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                self.shell.died = 128 - code if code < 0 else code
        finished = None
        if self.shell.command is not None:
            code = self.shell.died if status is None else status
            finished = self.shell.finish(137 if code is None else code, restarted=True)
        self.unwatch_shell()
        self.shell.stop()
        self.start_shell()
        if finished is not None:
            self.answer(finished)

    def answer(self, finished: Finished) -> None:
        if self.shell.renewed:
            self.watch_shell()
        header: Header = {
            "ok": True,
            "exit": finished.exit_code,
            "truncated": finished.truncated,
            "timed_out": finished.timed_out,
            "restarted": finished.restarted,
            "seconds": finished.seconds,
            "notes": finished.notes,
        }
        self.loop.send({**header, "id": self.running}, finished.output)

    def on_children(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 4096)
        for pid, status in processes.reap().items():
            if pid == self.shell.pid:
                self.shell.died = status
                self.restart_shell(None)
            self.channels.ended(pid, status)

    # Files ---------------------------------------------------------------------------------

    def absolute(self, path: str) -> str:
        """`path` seen from the shell's current directory. Call it with the agent's rights."""
        if path.startswith("/"):
            return path
        return os.path.join(self.directory(), path)

    def directory(self) -> str:
        """The shell's current folder."""
        if not self.shell.used:
            # It may still be on its way there from the guest's own.
            return WORKSPACE
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{self.shell.pid}/cwd")
        return WORKSPACE

    def do_read(self, header: Header, body: bytes) -> None:
        del body
        with processes.acting_as(self.who):
            data = files.read_file(self.absolute(header["path"]), header["max"])
        for start in range(0, len(data), CHUNK):
            self.reply({"more": True}, data[start : start + CHUNK])
        self.reply({"ok": True})

    def do_write(self, header: Header, body: bytes) -> None:
        with processes.acting_as(self.who):
            files.write_file(self.absolute(header["path"]), body)
        self.reply({"ok": True})

    def do_export(self, header: Header, body: bytes) -> None:
        del body
        with processes.acting_as(self.who):
            pieces = list(files.export(WORKSPACE, header["paths"], header["max"]))
        for piece in pieces:
            self.reply({"more": True}, piece)
        self.reply({"ok": True})

    # Channels ------------------------------------------------------------------------------

    def do_open(self, header: Header, body: bytes) -> None:
        del body
        with processes.acting_as(self.who):
            cwd = self.directory()
        self.channels.open(self.who, header, cwd)
        self.reply({"ok": True})

    def do_feed(self, header: Header, body: bytes) -> None:
        self.channels.take(header, body)

    def do_credit(self, header: Header, body: bytes) -> None:
        del body
        self.channels.credit(header)

    def do_kill(self, header: Header, body: bytes) -> None:
        del body
        self.channels.kill(header)


def _noticed(*_: object) -> None:
    """SIGCHLD must have a handler, for the wake-up descriptor to be written."""


def _too_late(*_: object) -> None:
    raise TimeoutError(errno.ETIMEDOUT, "a process does not die")


def _failure(error: OSError) -> Header:
    number = error.errno or errno.EIO
    return {"ok": False, "errno": number, "message": os.strerror(number), "path": error.filename}


def main() -> None:
    """Run as PID 1 until the host closes its end."""
    with contextlib.suppress(HostGoneError):
        Server().serve()
