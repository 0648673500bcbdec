"""What is kept of a stream that may be endless: its head and its tail."""

from __future__ import annotations


class Tail:
    """Keeps the head and the tail of a stream, `limit` bytes in all, and counts the whole.

    `kept` and `total` are those of another one, which this one goes on from.
    """

    def __init__(self, limit: int, kept: bytes = b"", total: int = 0) -> None:
        self.half = max(limit // 2, 1)
        self.head = bytearray(kept[: self.half])
        self.tail = bytearray(kept[self.half :])
        self.total = total

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self.half - len(self.head)
        if len(data) <= room:  # most streams end before their head is full
            self.head += data
            return
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > 4 * self.half:
            del self.tail[: -self.half]

    def kept(self) -> bytes:
        """The head, then the tail: all that another `Tail` needs to go on from."""
        return bytes(self.head + self.tail[-self.half :])

    def result(self) -> tuple[bytes, int]:
        """What is kept, the cut stated in place, and how many bytes were cut."""
        if not self.tail:
            return bytes(self.head), 0
        tail = self.tail[-self.half :]
        cut = self.total - len(self.head) - len(tail)
        if not cut:
            return bytes(self.head + tail), 0
        mark = f"\n[... {cut} bytes cut ...]\n".encode()
        return bytes(self.head) + mark + bytes(tail), cut
