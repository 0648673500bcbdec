"""Sorts what a failed request raised: overflow, no tools, gone for good, or worth another try.

Servers tell an overflow or a refusal of tools or images in words only, and each in its own; the
patterns here are those of OpenAI, Anthropic, Gemini, OpenRouter, Groq, vLLM, llama.cpp and Ollama.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, ImagesRefusedError, ToolsUnsupportedError
from mlgym.models.library import litellm

_OVERFLOW = re.compile(
    r"(maximum|available|exceeds?).{0,20}context|context[ _]?(length|window|size)"
    r"|(prompt|input|request).{0,20} too (long|large)|reduce the length"
    r"|input token count.{0,30}exceeds",
    re.I,
)
_WINDOW = re.compile(r"(?:max|limit|context size)\D{0,60}?(\d{3,8})|> (\d{3,8})", re.I)
_NO_TOOLS = re.compile(
    r"\b(tools?|functions?)\b.{0,40}(not |un)support"
    r"|(not |un)support.{0,40}\b(tools?|functions?)\b"
    r"|no endpoints found that support tool"
    r"|(unrecogni[sz]ed|unknown|unexpected|extra).{0,60}\btools\b"
    r"|\btools\b.{0,60}(extra inputs|not permitted|not allowed)"
    r"|requires --(enable-auto-tool-choice|jinja|tool-call-parser)|tools param requires",
    re.I | re.S,
)
_NO_IMAGES = re.compile(
    r"\b(images?|image_url|vision)\b.{0,60}"
    r"((not |un)support|only supported|invalid|exceed|too large)"
    r"|((not |un)support|could not|cannot|unable to|failed to|invalid).{0,40}"
    r"\b(images?|image_url)\b"
    r"|(not a|no) multi-?modal|support image input|unknown variant .image_url"
    r"|content must be a string|only text|invalid content type",
    re.I | re.S,
)
_FOR_GOOD = re.compile(r"insufficient_quota|current quota|credit balance|billing", re.I)
# Groq's word for a function call that its own parser refused: the next try may do better.
_MISSPOKEN = re.compile(r"tool_use_failed|failed to call a function", re.I)
# litellm puts the names of its own errors before the provider's words, once for every layer.
_STUTTER = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)(?:: *| - *))+")
_PASSING = frozenset({408, 409, 425, 429})
_SHOWN = 2000


class EmptyAnswerError(Exception):
    """The server answered with nothing in it."""


class LateAnswerError(Exception):
    """The server did not finish its answer in time."""


def sort_failure(model: str, error: Exception, with_tools: bool, with_images: bool = False) -> str:
    """What went wrong, in a line, where another try may mend it.

    Raises:
        ContextOverflowError, ToolsUnsupportedError, ImagesRefusedError, ModelError: where none
            can.
    """
    words = _STUTTER.sub("", str(error))[:_SHOWN]
    said = f"{model}: {type(error).__name__}: {words}"
    status = getattr(error, "status_code", None)
    if with_images and status != 429 and (status == 413 or _NO_IMAGES.search(words)):
        raise ImagesRefusedError(said) from error
    # A rate limit may speak of tokens, yet passes; but not for one request above the limit.
    if isinstance(error, litellm().exceptions.ContextWindowExceededError) or (
        _OVERFLOW.search(words) and (status != 429 or "too large" in words)
    ):
        raise ContextOverflowError(said, _window(words)) from error
    if status == 413:
        raise ContextOverflowError(said) from error
    if with_tools and status != 429 and _NO_TOOLS.search(words):
        raise ToolsUnsupportedError(said) from error
    if _may_pass(error, status) and not _FOR_GOOD.search(words):
        return f"{type(error).__name__}: {words}"
    if status == 400 and _MISSPOKEN.search(words):
        return f"{type(error).__name__}: {words}"
    raise ModelError(said) from error


def _may_pass(error: Exception, status: object) -> bool:
    kinds = litellm().exceptions
    ours = EmptyAnswerError | LateAnswerError
    if isinstance(error, ours | kinds.Timeout | kinds.APIConnectionError):
        return True
    return isinstance(status, int) and (status in _PASSING or status >= 500)


def _window(words: str) -> int | None:
    found = _WINDOW.search(words)
    return int(found[1] or found[2]) if found else None


def is_held_back(error: Exception) -> bool:
    """Whether the server asks its callers to wait, be it for all of them or for this one."""
    return getattr(error, "status_code", None) == 429 or retry_after(error) is not None


def retry_after(error: Exception) -> float | None:
    """The seconds that a `Retry-After` header asks for (RFC 9110: seconds or a date), or None."""
    response: Any = getattr(error, "response", None)
    value = str(getattr(response, "headers", {}).get("retry-after") or "")
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
