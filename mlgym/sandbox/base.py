"""What a sandbox is: the protocol every backend fulfils, and its frozen inputs.

A backend is a callable `SandboxSpec -> Sandbox`, found under the entry-point group
`mlgym.sandboxes`. `mlgym.sandbox.conformance` is the suite each of them must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from mlgym.types import ExecResult

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sandbox may use. None means: not limited.

    `memory_bytes` is for the whole sandbox where a control group holds it, else for each process.
    `cpu_s` is processor time, in seconds, of each process. `output_bytes` is what is kept of a
    command's output, head and tail; a command that writes more than `flood_bytes` is killed.
    `mechanism` says of each limit in force what holds it; `weaker` of each that is held more
    loosely than it could be what would hold it better.
    """

    cpus: float | None = 2.0
    memory_bytes: int | None = 8192 * MB
    processes: int | None = 512
    disk_bytes: int | None = 10240 * MB
    open_files: int | None = 4096
    output_bytes: int = 64 * 1024
    flood_bytes: int = 64 * MB
    cpu_s: float | None = None
    mechanism: Mapping[str, str] = field(default_factory=dict[str, str])
    weaker: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything a backend needs to know before it acquires anything.

    `image` is the name of a folder under `containers/`. `workspace` is a host folder whose content
    is laid into `/workspace` at every reset. `mounts` are (host path, absolute path inside) pairs,
    read-only. `label` marks everything that is started. `gpus` is how many it gets, `gpu_ids` which
    ones; any where that is empty.
    """

    image: str
    workspace: Path
    mounts: tuple[tuple[Path, str], ...] = ()
    limits: Limits = field(default_factory=Limits)
    network: bool = False
    label: str = "mlgym"
    gpus: int = 0
    gpu_ids: tuple[str, ...] = ()


class Channel(Protocol):
    """A process inside the sandbox, run as the agent's user, joined by binary stdin and stdout.

    Its standard error is discarded but for a bounded tail (`stderr`).
    """

    def send(self, data: bytes) -> None:
        """Write to the process's stdin. Bytes to a process that has ended are dropped."""
        ...

    def recv(self, timeout: float) -> bytes:
        """The next bytes of its stdout, `b""` at end of file.

        Raises:
            TimeoutError: nothing came within `timeout` seconds.
            SandboxError: the sandbox itself is lost.
        """
        ...

    def close_stdin(self) -> None: ...

    def kill(self) -> None:
        """Kill the process and everything that it started. Idempotent."""
        ...

    def status(self, timeout: float) -> int | None:
        """The exit status (128 + signal if killed), or None if it still runs after `timeout` s."""
        ...

    @property
    def stderr(self) -> str: ...

    @property
    def cpu_s(self) -> float:
        """Processor time of the process when its last output was read, in seconds.

        Of all its threads, but not of other processes; 0 where the system does not tell.
        """
        ...


class Sandbox(Protocol):
    """An isolated workspace with a persistent shell.

    Every method but `close` raises `SandboxError` where the infrastructure fails. What the agent
    does wrong inside is never an error here.
    """

    @property
    def limits_in_force(self) -> Limits: ...

    def start(self) -> None:
        """Acquire everything; nothing is acquired before."""
        ...

    def run(self, command: str, timeout: float) -> ExecResult:
        """Run `command` in the persistent shell: cwd, variables and functions stay.

        `timeout` is in seconds. Processes left in the background are stopped when it returns and
        continued by the next `run`.
        """
        ...

    def open(self, argv: Sequence[str]) -> Channel: ...

    def read(self, path: str, max_bytes: int) -> bytes:
        """The content of a regular file, as the agent's user.

        Raises:
            FileNotFoundError, PermissionError, IsADirectoryError, OSError: the agent's doing,
                with a message that names the path; OSError(EFBIG) above `max_bytes`.
        """
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a regular file, as the agent's user; parent folders are made.

        Raises OSError like `read` (ENOSPC, EACCES, EISDIR, ...).
        """
        ...

    def export(self, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        """The files at `paths` as tar; paths are relative to `/workspace`, "x/" is a folder.

        Regular files only, symbolic links never followed out of their place: anything else raises
        OSError, as does a sum of sizes above `max_bytes` (EFBIG).
        """
        ...

    def reset(self) -> None:
        """In place: kill all, wipe, lay the workspace anew, start a new shell."""
        ...

    def save(self) -> Iterator[bytes]:
        """All that the agent can have made, as a stream of bytes that only `load` reads.

        Its files, and of its shell the folder, variables, functions, aliases, options and traps.
        Processes, sockets and open descriptors are no part of it. Read it to its end before
        anything else is asked of the sandbox.
        """
        ...

    def load(self, saved: Iterable[bytes]) -> None:
        """Like `reset`, but to what `save` gave, here or in another sandbox of the same spec."""
        ...

    def close(self) -> None:
        """Release everything. Idempotent, never raises."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


Backend = Callable[[SandboxSpec], Sandbox]
