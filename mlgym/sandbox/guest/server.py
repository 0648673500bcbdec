"""The guest's one loop: what the host asks for, in order, and children that ended."""

from __future__ import annotations

import errno
import os
import select

from . import files, processes
from .channels import Channels
from .commands import Commands
from .confine import confine
from .frames import CHUNK, FrameParser, Header
from .light import signal, suppress
from .loop import HOST_IN, HOST_OUT, HostGoneError, Loop
from .processes import Identity
from .script import PIECE

WORKSPACE = processes.WORKSPACE
MAX_BODY = 1 << 31
SETTLE_S = 5.0


class Server:
    """Answers the host until it goes away. Requests are served in order, one at a time."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.parser = FrameParser(MAX_BODY)
        self.channels = Channels(self.loop)
        self.source = ""
        self.wipe: list[str] = []
        self.keep: dict[str, list[str]] = {}
        self.who = Identity(0, 0, {}, {})
        self.commands = Commands(
            self.loop, self.who, {"output_bytes": 1, "flood_bytes": 1}, set(), -1
        )
        self.request = 0
        """The number of the request at hand."""
        self.used = False
        """Whether a command was run since the shell was started, by whomever."""

    def serve(self) -> None:
        """Until the host is gone."""
        os.umask(0o022)
        os.set_blocking(HOST_IN, False)
        os.set_blocking(HOST_OUT, False)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        # Where the guest is the agent's own user, the agent can send it any of them.
        for number in processes.CATCHABLE:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, _noticed)
        self.loop.watch(HOST_IN, select.EPOLLIN, self.on_host)
        self.loop.watch(wake_read, select.EPOLLIN, self.on_children)
        while True:
            self.loop.turn(self.commands.shell.wait_s())
            self.commands.tick()

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
            self.used = bool(header.get("used"))
            try:
                getattr(self, f"do_{header['op']}")(header, body)
            except OSError as error:
                self.reply(_failure(error))
            except ValueError:  # what no path can hold, as a NUL
                self.reply(_failure(OSError(errno.EINVAL, "", header.get("path"))))

    def do_setup(self, header: Header, body: bytes) -> None:
        """Who the agent is, the limits, the starter files; then a first reset."""
        del body
        who = header["who"]
        self.who = Identity(who["uid"], who["gid"], who["environment"], who["rlimits"])
        self.source = header["source"]
        self.wipe, self.keep = header["wipe"], header["keep"]
        if self.who.drops:
            for folder in self.wipe:
                os.chown(folder, self.who.uid, self.who.gid)
        # Before the filter, which refuses new ones; where it is in force already, the host's.
        text_fd: int = header["text_fd"] if "text_fd" in header else os.memfd_create("command")
        confine(header["filter"], same_user=not self.who.drops)
        self.commands = Commands(self.loop, self.who, header, self.channels.pids, text_fd)
        self.do_reset(header, b"")

    def do_reset(self, header: Header, body: bytes) -> None:
        """Kill all, wipe, lay the starter files (unless `bare`), start a new shell."""
        del body
        self.end_everything()
        for folder in self.wipe:
            keep = self.keep.get(folder, [])
            files.wipe(folder, keep)
            if folder != WORKSPACE:
                os.utime(folder, (files.FIXED_MTIME, files.FIXED_MTIME))
        # Docker mounts it, and a queue outlives whoever made it.
        with suppress(FileNotFoundError):
            for name in os.listdir("/dev/mqueue"):
                os.unlink(f"/dev/mqueue/{name}")
        if not header.get("bare"):
            keep = self.keep.get(WORKSPACE, [])
            files.lay(self.source, WORKSPACE, keep, self.who.uid, self.who.gid)
        self.commands.start()
        self.reply({"ok": True, "handed": self.commands.handed})

    def end_everything(self) -> None:
        self.commands.stop()
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
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        self.channels.forget_all()

    def on_children(self, fd: int) -> None:
        with suppress(BlockingIOError):
            os.read(fd, 4096)
        ended, stopped = processes.reap()
        for pid in stopped:
            self.commands.stopped(pid)
        for pid, status in ended.items():
            self.commands.ended(pid, status)
            self.channels.ended(pid, status)

    # Commands ------------------------------------------------------------------------------

    def do_run(self, header: Header, body: bytes) -> None:
        self.commands.run(header, body)

    def do_take_over(self, header: Header, body: bytes) -> None:
        self.commands.take_over(header, body)

    # Files ---------------------------------------------------------------------------------

    def absolute(self, path: str) -> str:
        """`path` seen from the shell's current directory. Call it with the agent's rights."""
        if path.startswith("/"):
            return path
        return os.path.join(self.directory(), path)

    def directory(self) -> str:
        """The shell's current folder."""
        if not self.used:
            # It may still be on its way there from the guest's own.
            return WORKSPACE
        with suppress(OSError):
            return os.readlink(f"/proc/{self.commands.shell.pid}/cwd")
        return WORKSPACE

    def do_read(self, header: Header, body: bytes) -> None:
        del body
        with processes.ActingAs(self.who):
            data = files.read_file(self.absolute(header["path"]), header["max"])
        for start in range(0, len(data), CHUNK):
            self.reply({"more": True}, data[start : start + CHUNK])
        self.reply({"ok": True})

    def do_write(self, header: Header, body: bytes) -> None:
        with processes.ActingAs(self.who):
            files.write_file(self.absolute(header["path"]), body)
        self.reply({"ok": True})

    def do_export(self, header: Header, body: bytes) -> None:
        with processes.ActingAs(self.who):
            paths = [os.fsdecode(name) for name in body.split(b"\0")] if body else []
            pieces = list(files.export(WORKSPACE, paths, header["max"]))
        for piece in pieces:
            self.reply({"more": True}, piece)
        self.reply({"ok": True})

    # Channels ------------------------------------------------------------------------------

    def do_open(self, header: Header, body: bytes) -> None:
        del body
        with processes.ActingAs(self.who):
            cwd = self.directory()
        self.channels.open(self.who, header["channel"], header["argv"], cwd)
        self.reply({"ok": True})

    def do_save(self, header: Header, body: bytes) -> None:
        """Open a channel whose output is all that the agent can have written, as tar."""
        del body
        from . import state  # tarfile takes milliseconds, which a start need not spend

        folders, keep = self.wipe, self.keep
        work = lambda: state.save(folders, keep)  # noqa: E731 - functools would take milliseconds
        self.channels.open(self.who, header["channel"], work, WORKSPACE)
        self.reply({"ok": True})

    def do_load(self, header: Header, body: bytes) -> None:
        """Open a channel that lays the tar that it is fed."""
        del body
        from . import state

        self.channels.open(self.who, header["channel"], state.load, WORKSPACE)
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
    processes.raise_open_files()
    with suppress(HostGoneError):
        Server().serve()
