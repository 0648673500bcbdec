"""What a backend brings up for a `GuestSandbox`: a running guest, and ways to speak with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlgym.sandbox.base import Limits, SandboxSpec
from mlgym.sandbox.direct import DirectShell


class Transport(Protocol):
    """A two-way pipe of bytes to a guest."""

    def fileno(self) -> int:
        """A descriptor that polls readable when the guest has said something."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError where the guest is gone."""
        ...

    def recv(self, max_bytes: int) -> bytes:
        """What the guest said, `b""` at its end. Raises OSError."""
        ...

    def close(self) -> None: ...

    def describe_failure(self) -> str:
        """Why the guest is gone, as far as can be told: exit status, last words."""
        ...


@dataclass(frozen=True, slots=True)
class AgentUser:
    """Whom the guest lets the agent's processes be, and their resource limits.

    `system_call_filter` is BPF in base64 that the guest must put on itself, "" where that is done.
    """

    uid: int
    gid: int
    rlimits: Mapping[str, int]
    system_call_filter: str = ""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Where the host can hold the shell's pipes: its hands, and the guest's descriptor to them.

    `text_fd` is the guest's descriptor of the memfd that commands' texts go into.
    """

    shell: DirectShell
    guest_fd: int
    text_fd: int


@dataclass(frozen=True, slots=True)
class Launched:
    """A guest that runs: how to speak with it, whom the agent is inside, what limits hold."""

    transport: Transport
    user: AgentUser
    limits: Limits
    hand_over: HandOver | None = None


class Launcher(Protocol):
    """Starts and ends what a guest lives in. `release` is idempotent and never raises."""

    def launch(self, spec: SandboxSpec) -> Launched: ...

    def pids(self) -> list[int]:
        """Of this host; see `GuestSandbox.pids`."""
        ...

    def release(self) -> None: ...
