"""Images among a request's messages: as parts with their bytes, and by name where that will do."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

from mlgym.models.base import Message
from mlgym.types import Image

_KIND = "image_url"


def image_part(image: Image) -> dict[str, Any]:
    """The image as a part of a message's content: a data URL, as every provider takes it."""
    told = base64.b64encode(image.data).decode("ascii")
    return {"type": _KIND, _KIND: {"url": f"data:{image.media_type};base64,{told}"}}


def count_images(*messages: Message) -> int:
    """How many images the messages carry."""
    return sum(part.get("type") == _KIND for message in messages for part in _parts(message))


def without_images(message: Message, instead: str) -> Message:
    """The message as text alone, `instead` in the place of each image."""
    if not isinstance(message.get("content"), list):
        return message
    texts = [instead if part.get("type") == _KIND else part["text"] for part in _parts(message)]
    return {**message, "content": "\n".join(texts)}


def by_reference(message: Message) -> Message:
    """The message with the name of each image (see `Image`) in the place of its bytes."""
    if not count_images(message):
        return message
    return {**message, "content": [_named(part) for part in _parts(message)]}


def _parts(message: Message) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return cast("list[Mapping[str, Any]]", content) if isinstance(content, list) else []


def _named(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if part.get("type") != _KIND or not part[_KIND]["url"].startswith("data:"):
        return part
    kind, _, told = part[_KIND]["url"].removeprefix("data:").partition(";base64,")
    return {"type": _KIND, _KIND: {"url": Image(kind, base64.b64decode(told)).name}}
