"""The host's end of a process inside a sandbox."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

from mlgym.sandbox.guest.frames import CREDIT, Header

_WINDOW = 4 * CREDIT


class Session(Protocol):
    """What a channel needs of the session that it belongs to."""

    def send(self, header: Header, body: bytes = b"") -> None: ...

    def pump(self, deadline: float) -> bool: ...


class GuestChannel:
    """See `mlgym.sandbox.base.Channel`. Made by `GuestSession.open`."""

    def __init__(self, session: Session, number: int) -> None:
        self._session = session
        self._number = number
        self._data: deque[bytes] = deque()
        self._eof = False
        self._status: int | None = None
        self._stderr = ""
        self._owed = 0
        self._unfed = 0
        self.cpu_s = 0.0

    def take(self, header: Header, body: bytes) -> None:
        """A frame of this channel's, from the guest."""
        if header.get("data"):
            self.cpu_s = max(self.cpu_s, float(header["cpu"]))
            self._data.append(body)
            return
        self._unfed -= int(header.get("fed", 0))
        self._eof = self._eof or bool(header.get("eof"))
        if "status" in header:
            self._status = int(header["status"])
            self._stderr = str(header.get("stderr", ""))[-8192:]

    def send(self, data: bytes) -> None:
        self._unfed += len(data)
        self._session.send({"op": "feed", "channel": self._number}, data)

    def wait_fed(self, timeout: float) -> None:
        """Wait until little of what was sent still waits inside, or the process has ended.

        Raises TimeoutError: the process took nothing in for `timeout` seconds.
        """
        while self._unfed > _WINDOW and self._status is None:
            if not self._session.pump(time.monotonic() + timeout):
                raise TimeoutError(f"nothing was taken in within {timeout:g} s")

    def close_stdin(self) -> None:
        self._session.send({"op": "feed", "channel": self._number, "end": True})

    def recv(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._data and not self._eof:
            if not self._session.pump(deadline):
                raise TimeoutError(f"nothing within {timeout:g} s")
        if not self._data:
            return b""
        data = self._data.popleft()
        self._owed += len(data)
        if self._owed >= CREDIT // 2 and not self._eof:
            self._session.send({"op": "credit", "channel": self._number, "bytes": self._owed})
            self._owed = 0
        return data

    def kill(self) -> None:
        if self._status is None:
            self._session.send({"op": "kill", "channel": self._number})

    def status(self, timeout: float) -> int | None:
        deadline = time.monotonic() + timeout
        while self._status is None and self._session.pump(deadline):
            pass
        return self._status

    @property
    def stderr(self) -> str:
        return self._stderr
