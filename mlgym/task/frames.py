"""The host's end of a kit's frames: what `mlgym.task.kit.Pipe` is inside, over a channel."""

from __future__ import annotations

import json
import time
from typing import Any

from mlgym.sandbox.base import Channel
from mlgym.task.kit import PREFIX, check_sizes


class FrameError(Exception):
    """The other side did not send a frame in time; the message says what it did instead."""


class FrameTimeoutError(FrameError):
    """It sent nothing, or not all of a frame, in time."""


class FrameLink:
    """Frames to and from one process. What it sends is bounded, never parsed beyond its length."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._buffer = bytearray()

    @property
    def cpu_s(self) -> float:
        """Processor time of the process by the last frame, in seconds. See `Channel.cpu_s`."""
        return self._channel.cpu_s

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        text = json.dumps(header).encode()
        self._channel.send(PREFIX.pack(len(text), len(body)) + text + body)

    def receive(self, timeout: float) -> tuple[bytes, bytes]:
        """The next frame's header and body, as bytes. `timeout` is in seconds.

        Raises:
            FrameTimeoutError: it said nothing in time.
            FrameError: it ended, or sent what is no frame.
            SandboxError: its sandbox is lost.
        """
        deadline = time.monotonic() + timeout
        self._fill(PREFIX.size, deadline, timeout)
        header_size, body_size = PREFIX.unpack_from(self._buffer)
        try:
            check_sizes(header_size, body_size)
        except ValueError as error:
            raise FrameError(f"it sent too much, or no frame at all ({error})") from None
        self._fill(PREFIX.size + header_size + body_size, deadline, timeout)
        start = PREFIX.size + header_size
        header = bytes(self._buffer[PREFIX.size : start])
        body = bytes(self._buffer[start : start + body_size])
        del self._buffer[: start + body_size]
        return header, body

    def _fill(self, size: int, deadline: float, timeout: float) -> None:
        while len(self._buffer) < size:
            left = deadline - time.monotonic()
            try:
                data = self._channel.recv(max(left, 0.0))
            except TimeoutError:
                raise FrameTimeoutError(f"it did not answer within {timeout:g} s") from None
            if not data:
                status = self._channel.status(2.0)
                words = self._channel.stderr.strip()[-1000:]
                told = f", its last words: {words}" if words else ""
                ended = "it closed its output" if status is None else f"it ended (status {status})"
                raise FrameError(f"{ended}{told}")
            self._buffer += data
