"""A sandbox whose PID 1 is our guest, whatever launched it: one body for both backends."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Self

from mlgym.errors import SandboxError
from mlgym.sandbox import shell_state
from mlgym.sandbox.base import Channel, Limits, SandboxSpec
from mlgym.sandbox.launching import Launcher
from mlgym.sandbox.session import GuestSession
from mlgym.types import ExecResult

_LENGTH = struct.Struct(">Q")


class GuestSandbox:
    """See `mlgym.sandbox.base.Sandbox`."""

    def __init__(self, spec: SandboxSpec, launcher: Launcher) -> None:
        self.spec = spec
        self._launcher = launcher
        self._session: GuestSession | None = None
        self._limits: Limits | None = None

    @property
    def limits_in_force(self) -> Limits:
        if self._limits is None:
            raise SandboxError("the sandbox was not started: no limits are in force")
        return self._limits

    def pids(self) -> list[int]:
        """The processes that make up the sandbox, as pids of this host; for measuring it.

        Empty where it does not run, or where this process cannot see them: a daemon on another
        machine or in another pid namespace. Raises SandboxError where the daemon fails.
        """
        return self._launcher.pids()

    @property
    def seems_alive(self) -> bool:
        """Whether it runs and its end was not seen: what can be told without asking it."""
        session = self._session
        return session is not None and session.lost is None and not session.has_news

    def start(self) -> None:
        if self._session is not None:
            return
        try:
            launched = self._launcher.launch(self.spec)
            self._limits = launched.limits
            self._session = GuestSession(
                launched.transport, self.spec, launched.user, launched.hand_over
            )
            self._session.setup()
        except OSError as error:
            # No descriptor, process or room left on the host, whichever part ran into it.
            self.close()
            raise SandboxError(f"a sandbox cannot be started: {error}") from error
        except BaseException:
            self.close()
            raise

    @property
    def _live(self) -> GuestSession:
        if self._session is None:
            raise SandboxError("the sandbox is not running: call start() first")
        return self._session

    def run(self, command: str, timeout: float) -> ExecResult:
        return self._live.run(command, timeout)

    def open(self, argv: Sequence[str]) -> Channel:
        return self._live.open(argv)

    def read(self, path: str, max_bytes: int) -> bytes:
        return self._live.read(path, max_bytes)

    def write(self, path: str, data: bytes) -> None:
        self._live.write(path, data)

    def export(self, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        return self._live.export(paths, max_bytes)

    def save(self) -> Iterator[bytes]:
        session = self._live
        told = session.run(shell_state.SAVE, shell_state.LIMIT_S, shell_state.MOST_BYTES)
        state = "" if told.truncated or told.timed_out else told.output
        text = state.encode()
        yield _LENGTH.pack(len(text)) + text
        yield from session.save()

    def load(self, saved: Iterable[bytes]) -> None:
        pieces = iter(saved)
        buffer = b""
        try:
            while len(buffer) < _LENGTH.size or len(buffer) < _end(buffer):
                buffer += next(pieces)
        except StopIteration:
            raise SandboxError("what was saved of a sandbox is not whole") from None
        end = _end(buffer)
        state = buffer[_LENGTH.size : end].decode("utf-8", "replace")
        if self._live.lost is not None:
            self.close()
            self.start()
        self._live.load(chain([buffer[end:]], pieces))
        self._live.run(shell_state.restoring(state), shell_state.LIMIT_S)

    def reset(self) -> None:
        """In place; a sandbox that was lost is started anew, even if only this finds the loss."""
        if self._live.lost is None:
            with contextlib.suppress(SandboxError):
                self._live.reset()
                return
        self.close()
        self.start()

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(OSError):
                session.close()
        self._launcher.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _end(saved: bytes) -> int:
    """Where the shell's state ends in what begins with its length."""
    return _LENGTH.size + int(_LENGTH.unpack_from(saved)[0])
