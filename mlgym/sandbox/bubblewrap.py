"""The embedded backend: Linux namespaces through the `bwrap` program, no daemon, no root.

As a normal user the sandbox has a user namespace, in which no further one can be made. As root it
has none (a uid inside would be the host's uid 0): the guest keeps the few capabilities that it
needs, and the agent's processes are a host user of their own, without any.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from typing import IO

from mlgym.errors import SandboxError
from mlgym.sandbox import cgroups, seccomp, slots
from mlgym.sandbox.base import Limits, SandboxSpec
from mlgym.sandbox.bwrap import INNER_UID, bwrap_arguments, find_bwrap
from mlgym.sandbox.cgroups import Group
from mlgym.sandbox.direct import DirectShell
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.images import require_environment
from mlgym.sandbox.inside import GUEST_COMMAND, all_mounts, disk_mechanism
from mlgym.sandbox.launching import AgentUser, HandOver, Launched
from mlgym.sandbox.pids import descendants
from mlgym.sandbox.rlimits import rlimit_mechanism, rlimits
from mlgym.sandbox.rootfs import binds, interpreter, make_root
from mlgym.sandbox.waiting import send_all, wait_ended, wait_readable, within_strand

_BEGIN_S, _END_S = 10.0, 2.0


class SocketTransport:
    """The guest's stdin and stdout are one end of a socket pair, this is the other."""

    def __init__(self, ours: socket.socket, process: subprocess.Popen[bytes], log: IO[bytes]):
        self._socket = ours
        self._process = process
        self._log = log

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        send_all(self._socket, data)

    def recv(self, max_bytes: int) -> bytes:
        return self._socket.recv(max_bytes)

    def close(self) -> None:
        self._socket.close()

    def describe_failure(self) -> str:
        wait_ended(self._process, _END_S)
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        words = lines[-1].strip() if lines else ""
        status = self._process.returncode
        ended = "bwrap still runs" if status is None else f"bwrap's status {status}"
        return ended + (f": {words}" if words else "")


class BubblewrapLauncher:
    """Starts `bwrap`, and ends it with all that runs inside."""

    def __init__(self) -> None:
        self._slot: slots.Slot | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guest_pid: int | None = None
        self._guest_began: str | None = None
        self._log: IO[bytes] | None = None
        self._group: Group | None = None

    def launch(self, spec: SandboxSpec) -> Launched:
        program = find_bwrap()
        environment = require_environment(spec.image)
        self._slot = slots.acquire()
        is_root = os.getuid() == 0
        uid = self._slot.uid if is_root else INNER_UID
        bound = binds(environment, all_mounts(spec), spec.network)
        root = make_root(bound, uid, uid)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by release()
        arguments = [str(program), *bwrap_arguments(spec, root, bound)]
        spawned = _spawn(arguments, self._log)
        self._process = spawned.process
        with contextlib.ExitStack() as undo:
            undo.enter_context(spawned.near)
            undo.enter_context(spawned.inbox)
            transport = SocketTransport(spawned.near, spawned.process, self._log)
            with spawned.info:
                self._guest_pid = _read_child_pid(spawned.info)
            if self._guest_pid is None:
                raise SandboxError(_explain(transport.describe_failure()))
            self._guest_began = slots.start_time(self._guest_pid)
            self._slot.record(spec.label, [spawned.process.pid, self._guest_pid])
            why_none = self._enter_group(spec, self._slot.number)
            cores = _cores(spec, self._slot.number)
            try:
                os.sched_setaffinity(self._guest_pid, cores)
            except ProcessLookupError:  # bwrap made it, and found what it cannot mount
                raise SandboxError(_explain(transport.describe_failure())) from None
            if within_strand():
                # One of many: what the loop wakes must not put the loop off its core.
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(self._guest_pid, os.SCHED_BATCH, os.sched_param(0))
            undo.pop_all()
        limits = _in_force(spec, len(cores), self._group, why_none)
        user = AgentUser(uid, uid, rlimits(spec.limits, per_user=True))
        shell = DirectShell(spawned.inbox, self._guest_pid)
        hand_over = HandOver(shell, spawned.guest_fd, spawned.text_fd)
        return Launched(transport, user, limits, hand_over)

    def _enter_group(self, spec: SandboxSpec, slot: int) -> str:
        """Put the guest into a control group of its own, or say why there is none.

        The guest waits for its first request, so that all it will ever start is in the group.
        """
        parent, why_none = cgroups.delegated()
        if parent is None or self._guest_pid is None:
            return why_none
        try:
            self._group = cgroups.make_group(parent, f"mlgym-{os.getuid()}-{slot}", spec.limits)
            self._group.add(self._guest_pid)
        except OSError as error:
            self._leave_group()
            return f"none can be made below {parent}: {error.strerror}"
        return ""

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.remove()
            self._group = None

    def pids(self) -> list[int]:
        """`bwrap`, which waits, then the guest and all that runs inside."""
        if self._process is None:
            return []
        found = descendants(self._process.pid)
        guest = self._guest_pid
        # Whoever killed `bwrap` itself left it without a parent here.
        if guest is not None and guest not in found and self._may_be_ours(guest):
            found += descendants(guest)
        return found

    def release(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if self._guest_pid is not None and self._may_be_ours(self._guest_pid):
                # The death of PID 1 takes the whole sandbox with it.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._guest_pid, signal.SIGKILL)
            if not wait_ended(process, _END_S):
                process.kill()
                process.wait()
        self._guest_pid = None
        self._leave_group()
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def _may_be_ours(self, pid: int) -> bool:
        """False where the guest ended long ago and another process was given its number."""
        return slots.start_time(pid) in (None, self._guest_began)


class BubblewrapSandbox(GuestSandbox):
    """A sandbox by bubblewrap. See `mlgym.sandbox.base.Sandbox`."""

    def __init__(self, spec: SandboxSpec) -> None:
        super().__init__(spec, BubblewrapLauncher())


def reap() -> list[str]:
    """End the sandboxes of processes that died; a line for each thing ended."""
    return slots.reap()


def _cores(spec: SandboxSpec, slot: int) -> list[int]:
    """The cores the sandbox is bound to: as many as its limit, others for each slot in turn."""
    available = sorted(os.sched_getaffinity(0))
    wanted = len(available) if spec.limits.cpus is None else math.ceil(spec.limits.cpus)
    count = min(max(wanted, 1), len(available))
    return [available[(slot * count + index) % len(available)] for index in range(count)]


def _in_force(spec: SandboxSpec, cores: int, group: Group | None, why_none: str) -> Limits:
    mechanism = {
        "memory_bytes": "RLIMIT_DATA, for each process",
        "processes": "RLIMIT_NPROC of the sandbox's own user",
        "disk_bytes": disk_mechanism(),
        "cpus": "bound to so many of the host's cores",
        **rlimit_mechanism(),
    }
    weaker: dict[str, str] = {}
    if group is not None:
        mechanism |= group.mechanism
    else:
        better = f"a control group would hold it for the sandbox as a whole; {why_none}"
        weaker = {"memory_bytes": better, "disk_bytes": f"it counts apart from memory: {better}"}
    # Bound to whole cores; a control group may hold a part of one.
    part = spec.limits.cpus if group is not None and "cpus" in group.mechanism else None
    limits = replace(spec.limits, cpus=min(part or cores, float(cores)))
    held = {name: how for name, how in mechanism.items() if getattr(limits, name) is not None}
    return replace(limits, mechanism=held, weaker=weaker)


@dataclass(frozen=True, slots=True)
class Spawned:
    """bwrap as it was started, and our ends of what it was given.

    `near` is the guest's stdin and stdout, `inbox` where it hands over its shell, `info` where
    bwrap tells of its child; `guest_fd` and `text_fd` are the guest's own descriptors.
    """

    process: subprocess.Popen[bytes]
    near: socket.socket
    inbox: socket.socket
    info: IO[bytes]
    guest_fd: int
    text_fd: int


def _spawn(arguments: list[str], log: IO[bytes]) -> Spawned:
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        near, far = socket.socketpair()
        ours.enter_context(near)
        theirs.enter_context(far)
        inbox, guests = socket.socketpair()
        ours.enter_context(inbox)
        theirs.enter_context(guests)
        # A guest that takes nothing in, or gives nothing, for so long is lost.
        near.settimeout(60.0)
        inbox.settimeout(10.0)
        info_read, info_write = os.pipe()
        info = ours.enter_context(os.fdopen(info_read, "rb", buffering=0))
        theirs.callback(os.close, info_write)
        filter_fd = _as_file(seccomp.program(strict=True))
        theirs.callback(os.close, filter_fd)
        text_fd = os.memfd_create("command")
        theirs.callback(os.close, text_fd)
        guest_fd = guests.fileno()
        given = ["--info-fd", str(info_write), "--seccomp", str(filter_fd)]
        process = subprocess.Popen(
            [*arguments, *given, str(interpreter()), *GUEST_COMMAND],
            stdin=far.fileno(),
            stdout=far.fileno(),
            stderr=log,
            pass_fds=(info_write, filter_fd, text_fd, guest_fd),
            env={},
            start_new_session=True,
        )
        ours.pop_all()
    return Spawned(process, near, inbox, info, guest_fd, text_fd)


def _as_file(data: bytes) -> int:
    fd = os.memfd_create("filter")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _read_child_pid(pipe: IO[bytes]) -> int | None:
    """What bwrap tells of the process that it made, None where it ended before."""
    text = b""
    deadline = time.monotonic() + _BEGIN_S
    while not text.rstrip().endswith(b"}"):
        ready = wait_readable(pipe.fileno(), max(0.0, deadline - time.monotonic()))
        data = pipe.read(4096) if ready else b""
        if not data:
            return None
        text += data
    return int(json.loads(text)["child-pid"])


def _explain(failure: str) -> str:
    message = f"bubblewrap could not make a sandbox ({failure})"
    if os.getuid() == 0:
        return (
            f"{message}. As root it needs CAP_SYS_ADMIN: in a container, run as a normal user,"
            " give the container --privileged, or use --sandbox docker"
        )
    return (
        f"{message}. Unprivileged user namespaces seem to be refused: set"
        " `sysctl kernel.unprivileged_userns_clone=1` (Debian) or"
        " `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu),"
        " or use --sandbox docker"
    )
