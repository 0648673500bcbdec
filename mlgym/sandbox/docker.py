"""The docker backend: one container a sandbox, its PID 1 our guest, frames over its stdio.

The guest is root with the few capabilities it needs; the agent's processes are uid 1000 with none.
The root file system is read-only, what an agent writes lies in sized tmpfs. A container ends by
itself when its owner dies: its stdin closes, the guest ends, the daemon removes it.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgym.errors import SandboxError
from mlgym.sandbox import seccomp
from mlgym.sandbox.base import MB, Limits, SandboxSpec
from mlgym.sandbox.docker_client import (
    OWNER,
    connect,
    docker_errors,
    fill_volume,
    gpu_request,
    is_local,
    owner_label,
    visible_pids,
)
from mlgym.sandbox.docker_images import require_docker_image
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.inside import (
    GUEST_COMMAND,
    all_mounts,
    disk_mechanism,
    disk_sizes,
)
from mlgym.sandbox.launching import AgentUser, Launched
from mlgym.sandbox.rlimits import rlimit_mechanism, rlimits
from mlgym.sandbox.waiting import send_all

_UID = 1000
_CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER")
_SMALL = MB
_STREAM_HEADER = 8
_STDERR = 2
_STDERR_TAIL = 4000
_SEND_S = 60.0


class AttachedTransport:
    """A container's stdin, stdout and stderr over one socket of the daemon's.

    Without a terminal the daemon sends pieces of both outputs, each after a header of 8 bytes:
    the stream's number, three zeros, the piece's length.
    """

    def __init__(self, attached: Any) -> None:
        # docker's SDK hands out the file that it made of the socket, or the socket itself.
        self._attached = attached
        self._socket: Any = getattr(attached, "_sock", attached)
        self._socket.settimeout(_SEND_S)
        self._raw = bytearray()
        self._errors = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        send_all(self._socket, data)

    def recv(self, max_bytes: int) -> bytes:
        while True:
            data = self._socket.recv(max_bytes)
            if not data:
                return b""
            self._raw += data
            output = self._take()
            if output:
                return output

    def _take(self) -> bytes:
        """Standard output out of the pieces that are whole, or begun: those of errors are kept."""
        output = bytearray()
        while len(self._raw) >= _STREAM_HEADER:
            size = int.from_bytes(self._raw[4:_STREAM_HEADER], "big")
            end = _STREAM_HEADER + size
            if len(self._raw) < end:
                break
            piece = self._raw[_STREAM_HEADER:end]
            if self._raw[0] == _STDERR:
                self._errors = (self._errors + piece)[-_STDERR_TAIL:]
            else:
                output += piece
            del self._raw[:end]
        return bytes(output)

    def close(self) -> None:
        self._attached.close()
        self._socket.close()

    def describe_failure(self) -> str:
        words = self._errors.decode("utf-8", "replace").strip()
        return f"its last words: {words}" if words else ""


class DockerLauncher:
    """Starts a container, and removes it with what it was given."""

    def __init__(self, runtime: str | None = None, copy_mounts: bool | None = None) -> None:
        self._runtime = runtime
        self._copy_mounts = copy_mounts
        self._client: Any = None
        self._container: Any = None
        self._volumes: list[Any] = []
        self._transport: AttachedTransport | None = None

    def launch(self, spec: SandboxSpec) -> Launched:
        self._client = connect()
        image = require_docker_image(self._client, spec.image)
        with docker_errors(f"a container of {image} cannot be started"):
            mounts = self._mounts(image, spec)
            # The daemon's answer says what it set: what its kernel cannot limit it leaves out.
            self._container = self._client.containers.create(
                image,
                ["python3", *GUEST_COMMAND],
                mounts=mounts,
                **_container_options(spec, self._runtime),
            )
            attached = self._client.api.attach_socket(
                self._container.id, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._transport = AttachedTransport(attached)
            self._container.start()
        limits = _in_force(spec.limits, self._container.attrs["HostConfig"])
        program = seccomp.program(self._client.info()["Architecture"])
        user = AgentUser(
            _UID, _UID, rlimits(spec.limits, per_user=False), base64.b64encode(program).decode()
        )
        return Launched(self._transport, user, limits)

    def _mounts(self, image: str, spec: SandboxSpec) -> list[Any]:
        """Read-only binds; where the daemon may be elsewhere, volumes filled by copying."""
        from docker.types import Mount

        copy = not is_local(self._client) if self._copy_mounts is None else self._copy_mounts
        mounts: list[Any] = []
        for host, inside in all_mounts(spec):
            if not copy:
                mounts.append(Mount(inside, str(host), type="bind", read_only=True))
                continue
            volume = self._client.volumes.create(labels=owner_label(spec.label))
            self._volumes.append(volume)
            fill_volume(self._client, image, volume, Path(host))
            mounts.append(Mount(inside, volume.name, type="volume", read_only=True))
        return mounts

    def pids(self) -> list[int]:
        """The guest and all that runs inside; not the daemon's own processes."""
        if self._container is None:
            return []
        with docker_errors("the container cannot be looked at"):
            return visible_pids(self._container)

    def release(self) -> None:
        from docker.errors import DockerException

        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.close()
            self._transport = None
        container, self._container = self._container, None
        if container is not None:
            # It may be gone already: its stdin was closed, and it removes itself.
            with contextlib.suppress(DockerException, OSError):
                container.remove(force=True)
            with contextlib.suppress(DockerException, OSError):
                container.wait(condition="removed", timeout=10)
        for volume in self._volumes:
            with contextlib.suppress(DockerException, OSError):
                volume.remove(force=True)
        self._volumes.clear()
        if self._client is not None:
            self._client.close()
            self._client = None


class DockerSandbox(GuestSandbox):
    """A sandbox in a container. See `mlgym.sandbox.base.Sandbox`.

    `runtime` names an OCI runtime of the daemon's. `copy_mounts` says whether mounts are copied
    into volumes; by default where the daemon is not reached by a local socket.
    """

    def __init__(
        self, spec: SandboxSpec, *, runtime: str | None = None, copy_mounts: bool | None = None
    ) -> None:
        super().__init__(spec, DockerLauncher(runtime, copy_mounts))


def _container_options(spec: SandboxSpec, runtime: str | None) -> dict[str, Any]:
    limits = spec.limits
    sizes = disk_sizes(limits.disk_bytes)
    shared_memory = sizes.pop("/dev/shm")
    options: dict[str, Any] = {
        "user": "0:0",
        "working_dir": "/",
        "hostname": "mlgym",
        "environment": {},
        "stdin_open": True,
        "tty": False,
        "auto_remove": True,
        # PID 1 is deaf to the usual one: whoever stops it would wait for ten seconds.
        "stop_signal": "SIGKILL",
        "read_only": True,
        "network_mode": "bridge" if spec.network else "none",
        "cap_drop": ["ALL"],
        "cap_add": list(_CAPABILITIES),
        "security_opt": ["no-new-privileges"],
        "labels": owner_label(spec.label),
        "pids_limit": limits.processes,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "shm_size": shared_memory,
        "tmpfs": {
            **{folder: f"size={size},mode=755,exec" for folder, size in sizes.items()},
            "/run/sh": f"size={_SMALL},mode=755",
            # Of the host's devices and kernel nothing is needed inside.
            "/sys": f"size={_SMALL},mode=555,ro",
        },
        "runtime": runtime,
    }
    if spec.gpus:
        options["device_requests"] = [gpu_request(spec.gpus, spec.gpu_ids)]
    if limits.cpus is not None:
        options["nano_cpus"] = int(min(limits.cpus, os.cpu_count() or 1) * 1e9)
    return {key: value for key, value in options.items() if value is not None}


def _in_force(wanted: Limits, host: Mapping[str, Any]) -> Limits:
    """`wanted`, as the container's `HostConfig` has it."""
    limits = replace(
        wanted,
        memory_bytes=host.get("Memory") or None,
        processes=host.get("PidsLimit") or None,
        cpus=(host.get("NanoCpus") or 0) / 1e9 or None,
    )
    mechanism = {
        "memory_bytes": "docker --memory",
        "processes": "docker --pids-limit",
        "cpus": "docker --cpus",
        "disk_bytes": disk_mechanism(),
        **rlimit_mechanism(),
    }
    held = {name: how for name, how in mechanism.items() if getattr(limits, name) is not None}
    wishes = {name: getattr(wanted, name) for name in ("memory_bytes", "processes", "cpus")}
    weaker = {
        name: "the daemon's kernel has no control group for it"
        for name, wish in wishes.items()
        if wish is not None and name not in held
    }
    return replace(limits, mechanism=held, weaker=weaker)


def reap_docker() -> list[str]:
    """Remove containers and volumes whose owners died; a line for each, none without a daemon."""
    from docker.errors import DockerException

    from mlgym.sandbox.docker_client import owner_is_dead

    try:
        client = connect()
    except SandboxError:
        return []
    removed: list[str] = []
    with contextlib.closing(client), docker_errors("left-overs cannot be removed"):
        wanted = {"label": OWNER}
        for container in client.containers.list(
            all=True,
            filters=wanted,
            ignore_removed=True,  # others end theirs while we look
        ):
            if owner_is_dead(container.labels):
                with contextlib.suppress(DockerException):
                    container.remove(force=True)
                    removed.append(f"container {container.name}")
        for volume in client.volumes.list(filters=wanted):
            if owner_is_dead(volume.attrs.get("Labels") or {}):
                with contextlib.suppress(DockerException):
                    volume.remove(force=True)
                    removed.append(f"volume {volume.name}")
    return removed
