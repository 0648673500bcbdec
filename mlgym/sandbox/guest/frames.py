"""Frames between host and guest: two lengths, a JSON header, a binary body."""

from __future__ import annotations

import struct

from .light import TYPE_CHECKING, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


PREFIX = struct.Struct(">II")
MAX_HEADER = 4 << 20
CHUNK = 1 << 18
"""Bodies of streamed data are at most this long, in bytes."""
CREDIT = 1 << 20
"""How many bytes of a channel's output the guest sends ahead of the host's acknowledgement."""

if TYPE_CHECKING:
    Header = dict[str, Any]
else:
    Header = dict


def pack(header: Header, body: bytes | bytearray = b"") -> bytes:
    """One frame as bytes."""
    text = dumps(header).encode()
    return PREFIX.pack(len(text), len(body)) + text + body


class FrameParser:
    """Cuts a stream of bytes into frames.

    `max_body` bounds a body, in bytes. Raises ValueError where the stream cannot be frames.
    """

    def __init__(self, max_body: int) -> None:
        self._data = bytearray()
        self._max_body = max_body

    def feed(self, data: bytes) -> None:
        self._data += data

    def frames(self) -> Iterator[tuple[Header, bytes]]:
        """The frames that are whole by now."""
        while len(self._data) >= PREFIX.size:
            header_size, body_size = PREFIX.unpack_from(self._data)
            if header_size > MAX_HEADER or body_size > self._max_body:
                raise ValueError(f"a frame of {header_size} + {body_size} bytes")
            start = PREFIX.size + header_size
            if len(self._data) < start + body_size:
                return
            header = loads(self._data[PREFIX.size : start].decode())
            if not isinstance(header, dict):
                raise ValueError("a frame's header is not an object")  # noqa: TRY004
            body = bytes(self._data[start : start + body_size])
            del self._data[: start + body_size]
            yield header, body
