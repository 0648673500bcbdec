"""Looking at an image of the workspace: view_image.

The host never decodes a picture: an agent made it. It reads the kind and the size from the first
bytes, and leaves the rest to the model's provider.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any

from mlgym.tools.base import ActionError, ToolContext
from mlgym.tools.files import absolute
from mlgym.tools.words import Word, WordTool
from mlgym.types import Image, ToolResult

VIEW_IMAGE = "view_image"
MAX_BYTES = 3_750_000
"""5 MB when written in base64: what the strictest provider takes."""
MAX_SIDE = 8000
"""Pixels, for the same reason."""
_MOST_SEGMENTS = 1000
"""No camera writes so many before the size; whoever does would have the host count them."""
_CUT_OFF = "it breaks off in the middle"


class _NoImageError(Exception):
    """What is wrong with the bytes of an image."""


def _png(data: bytes) -> tuple[int, int]:
    if data[8:16] != b"\0\0\0\rIHDR":
        raise _NoImageError("its header is broken")
    if b"IEND" not in data:
        raise _NoImageError(_CUT_OFF)
    return _big(data, 16, 4), _big(data, 20, 4)


def _gif(data: bytes) -> tuple[int, int]:
    return _little(data, 6, 2), _little(data, 8, 2)


def _jpeg(data: bytes) -> tuple[int, int]:
    """Goes from segment to segment up to the one that holds the size (SOF)."""
    place = 2
    for _ in range(_MOST_SEGMENTS):
        if _big(data, place, 1) != 0xFF:
            break
        kind = _big(data, place + 1, 1)
        if kind == 0xFF:  # a filling byte
            place += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return _big(data, place + 7, 2), _big(data, place + 5, 2)
        elif kind in (0x01, *range(0xD0, 0xD8)):  # without content
            place += 2
        else:
            length = _big(data, place + 2, 2)
            if length < 2 or kind in (0xD9, 0xDA):
                break
            place += 2 + length
    raise _NoImageError("its header is broken")


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16] if data.startswith(b"RIFF") else b""
    if kind == b"VP8X":
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    raise _NoImageError("its header is broken")


def _big(data: bytes, place: int, count: int) -> int:
    return int.from_bytes(_taken(data, place, count), "big")


def _little(data: bytes, place: int, count: int) -> int:
    return int.from_bytes(_taken(data, place, count), "little")


def _taken(data: bytes, place: int, count: int) -> bytes:
    found = data[place : place + count]
    if len(found) < count:
        raise _NoImageError(_CUT_OFF)
    return found


_SIGNATURES: tuple[tuple[bytes, int, str, Callable[[bytes], tuple[int, int]]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "png", _png),
    (b"\xff\xd8\xff", 0, "jpeg", _jpeg),
    (b"GIF87a", 0, "gif", _gif),
    (b"GIF89a", 0, "gif", _gif),
    (b"WEBP", 8, "webp", _webp),
)


def read_image(path: str, data: bytes) -> tuple[Image, str]:
    """The image that a file's bytes hold, whatever it is called, and a line that describes it.

    Raises:
        ActionError: they hold none, a broken one, or one with too long a side.
    """
    for signature, place, kind, size in _SIGNATURES:
        if data[place : place + len(signature)] != signature:
            continue
        try:
            width, height = size(data)
            if not width or not height:
                raise _NoImageError("it has no extent")
        except _NoImageError as error:
            raise ActionError(f"view_image: {path} is no whole {kind.upper()}: {error}.") from None
        if max(width, height) > MAX_SIDE:
            raise ActionError(
                f"view_image: {path} has {width} x {height} pixels; scale it to at most {MAX_SIDE}"
                " a side first."
            )
        told = f"[{path}: {kind.upper()}, {width} x {height} pixels, {len(data)} bytes]\n"
        return Image(f"image/{kind}", data), told
    raise ActionError(f"view_image: {path} is no PNG, JPEG, GIF or WebP.")


def _view_image(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = absolute(context, arguments["path"])
    try:
        data = context.sandbox.read(path, MAX_BYTES)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise ActionError(
            f"view_image: {path} has more than {MAX_BYTES} bytes; scale it down first."
        ) from None
    image, told = read_image(path, data)
    return ToolResult(told, image=image)


TOOLS = (
    WordTool(
        VIEW_IMAGE,
        "Look at an image file (PNG, JPEG, GIF or WebP), such as a plot that was saved.",
        "view_image <path>",
        (Word("path", "The file, relative to the current folder or absolute."),),
        _view_image,
    ),
)
