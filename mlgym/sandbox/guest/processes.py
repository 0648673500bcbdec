"""Starting processes as the agent's user, signalling them, and channels to them."""

from __future__ import annotations

import fcntl
import os
import resource
import time

from .light import TYPE_CHECKING, signal, suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    Work = Sequence[str] | Callable[[], None]
    """What a process is for: a program with its arguments, or a function of the guest's own."""


WORKSPACE = "/workspace"
STDERR_TAIL = 8192
CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
PIPE_BYTES = 1 << 18
"""What a channel's pipe holds, where the kernel allows it: fewer turns for large frames."""


class Identity:
    """Who the agent is inside, and what its processes get.

    `rlimits` maps a name such as "NOFILE" to its limit. Where the guest is not root it is the
    agent's user already, and nothing is dropped.
    """

    __slots__ = ("environment", "gid", "rlimits", "uid")

    def __init__(
        self, uid: int, gid: int, environment: Mapping[str, str], rlimits: Mapping[str, int]
    ) -> None:
        self.uid = uid
        self.gid = gid
        self.environment = environment
        self.rlimits = rlimits

    @property
    def drops(self) -> bool:
        return os.getuid() == 0


def become(who: Identity) -> None:
    """Turn this process, for good, into the agent's user with its limits."""
    # Where memory runs out after all, the agent's processes go first, not the host's or the guest.
    with suppress(OSError):
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"1000")
        os.close(fd)
    for name, limit in who.rlimits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (value, value))
    if who.drops:
        os.setgroups([])
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
    os.umask(0o022)


def raise_open_files() -> None:
    """Lift the limit of open files as far as it goes: the host's may be too low for a shell."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ActingAs:
    """Touch files as the agent's user: with its rights only, and what is made belongs to it."""

    def __init__(self, who: Identity) -> None:
        self._who = who

    def __enter__(self) -> None:
        if self._who.drops:
            os.setegid(self._who.gid)
            os.seteuid(self._who.uid)

    def __exit__(self, *_: object) -> None:
        if self._who.drops:
            os.seteuid(0)
            os.setegid(0)


def spawn(who: Identity, work: Work, fds: Mapping[int, int], cwd: str) -> int:
    """Start `work` as the agent in a session of its own; `fds` maps its descriptors to ours.

    Raises OSError where the process cannot be made; a failing exec ends it with status 127, a
    failing function with 1.
    """
    pid = os.fork()
    if pid == 0:
        _child(who, work, fds, cwd)
    return pid


def _child(who: Identity, work: Work, fds: Mapping[int, int], cwd: str) -> NoReturn:
    name, failed = ("the guest", 1) if callable(work) else (work[0], 127)
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in CATCHABLE:
            signal.signal(number, signal.SIG_DFL)
        # Sources are moved out of the way first, so that no dup2 overwrites one still needed.
        moved = {target: _above(source) for target, source in fds.items()}
        for target, source in moved.items():
            os.dup2(source, target, inheritable=True)
        become(who)
        try:
            os.chdir(cwd)
        except OSError:
            os.chdir(WORKSPACE)
        if callable(work):
            # Nothing is executed that would close them: the guest's own, and this one's other ends.
            os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            work()
            os._exit(0)
        os.execvpe(work[0], list(work), dict(who.environment))
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        with suppress(OSError):
            os.write(2, f"{name}: {error}\n".encode("utf-8", "backslashreplace"))
    os._exit(failed)


def _above(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 300)


def everyone(number: int, spare: Sequence[int] = ()) -> None:
    """Signal every process but PID 1, at once; those in `spare` are continued after a stop."""
    with suppress(ProcessLookupError):
        os.kill(-1, number)
    for pid in spare:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """The direct children of a process; none where it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
    except FileNotFoundError:
        return _children_by_scan(pid)
    except OSError:
        return []
    try:
        return [int(word) for word in os.read(fd, 1 << 16).split()]
    except OSError:
        return []
    finally:
        os.close(fd)


def _children_by_scan(pid: int) -> list[int]:
    return [other for other in all_pids() if _parent(other) == pid]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def all_pids() -> list[int]:
    """Every process in the sandbox but PID 1."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def reap() -> tuple[dict[int, int], list[int]]:
    """Collect every child that ended, pid -> status as a shell would say it; and what stopped."""
    ended: dict[int, int] = {}
    stopped: list[int] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return ended, stopped
        if pid == 0:
            return ended, stopped
        if os.WIFSTOPPED(status):
            stopped.append(pid)
            continue
        code = os.waitstatus_to_exitcode(status)
        ended[pid] = 128 - code if code < 0 else code


class ChannelProcess:
    """A process joined to the host by its stdin and stdout.

    `fed` counts the bytes written to its stdin that the host was not told of yet.
    """

    def __init__(
        self, number: int, pid: int, stdin: int, stdout: int, stderr: int, credit: int
    ) -> None:
        self.number = number
        self.pid = pid
        self.stdin: int | None = stdin
        self.stdout: int | None = stdout
        self.stderr: int | None = stderr
        self.credit = credit
        self.waiting = bytearray()
        self.close_when_sent = False
        self.errors = bytearray()
        self.status: int | None = None
        self.fed = 0

    def cpu_s(self) -> float:
        """Processor time that it has used in all its threads, in seconds; 0 where nobody says."""
        with suppress(OSError):
            # What clock_getcpuclockid(3) answers for a process.
            return time.clock_gettime(~self.pid << 3 | 2)
        return 0.0

    def note_error(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-STDERR_TAIL]

    def kill(self) -> None:
        """Kill its session's group and all that descends from it."""
        todo = [self.pid]
        while todo:
            pid = todo.pop()
            todo += children(pid)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self, name: str) -> None:
        """Close one of stdin, stdout, stderr."""
        fd = getattr(self, name)
        if fd is not None:
            os.close(fd)
            setattr(self, name, None)


def open_process(who: Identity, number: int, work: Work, cwd: str, credit: int) -> ChannelProcess:
    """Start `work` with three pipes and return its `ChannelProcess`."""
    ours_in, ours_out, ours_err = os.pipe(), os.pipe(), os.pipe()
    try:
        pid = spawn(who, work, {0: ours_in[0], 1: ours_out[1], 2: ours_err[1]}, cwd)
    except OSError:
        for fd in (ours_in[1], ours_out[0], ours_err[0]):
            os.close(fd)
        raise
    finally:
        for fd in (ours_in[0], ours_out[1], ours_err[1]):
            os.close(fd)
    for fd in (ours_in[1], ours_out[0], ours_err[0]):
        os.set_blocking(fd, False)
    for fd in (ours_in[1], ours_out[0]):
        with suppress(OSError):  # refused where the user's pipes take much already
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ChannelProcess(number, pid, ours_in[1], ours_out[0], ours_err[0], credit)
