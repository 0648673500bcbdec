"""Refuses a request that a model's window cannot hold, before it is sent and paid for."""

from __future__ import annotations

from collections.abc import Sequence

from mlgym.models.accounting import TOKENS_AN_IMAGE, estimate_tokens, request_texts
from mlgym.models.base import ContextOverflowError, Message
from mlgym.types import ToolSpec

_PER_MESSAGE = 8
"""Tokens that a chat template may put around a message."""


def check_fits(
    model: str,
    window: int | None,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec] = (),
    reply: int = 0,
) -> None:
    """Make sure that a request, and `reply` tokens if any are wanted, are within `window` tokens.

    The count is an estimate: each provider's tokenizer is its own. What an estimate lets pass the
    provider may still refuse.

    Raises:
        ContextOverflowError: carries the window.
    """
    if window is None:
        return
    texts, images = request_texts(messages, tools)
    # A token is at least a byte: most requests need no counting.
    most = sum(len(text.encode("utf-8", "replace")) + _PER_MESSAGE for text in texts)
    if most + images * TOKENS_AN_IMAGE + reply <= window:
        return
    counted = estimate_tokens(messages, tools)
    if counted + reply > window:
        wanted = f" and a reply of {reply}" if reply else ""
        raise ContextOverflowError(
            f"{model}: not sent: the request has about {counted} tokens{wanted}, the window is"
            f" {window}",
            window,
        )
