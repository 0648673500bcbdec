"""What a reply cost: tokens as the server counted them, else estimated; money where it is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from mlgym.models.base import Message, ModelToolCall
from mlgym.models.library import count_tokens, litellm, price_of
from mlgym.types import ToolSpec, Usage

Price = tuple[float, float]
"""US dollars per million tokens: input, output."""
TOKENS_AN_IMAGE = 1500
"""About what providers count for one of ordinary size."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The usage of one request; `estimated` where the server did not count."""

    usage: Usage
    estimated: bool


def account(
    model: str,
    response: Any,
    price: Price | None,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    text: str,
    calls: Sequence[ModelToolCall],
) -> Counted:
    """The usage of `response`. A `price` given goes before litellm's price map."""
    told = getattr(response, "usage", None)
    tokens_in = int(getattr(told, "prompt_tokens", 0) or 0)
    tokens_out = int(getattr(told, "completion_tokens", 0) or 0)
    said = text + "".join(call.name + call.arguments for call in calls)
    # A prompt has tokens: zero means that nobody counted.
    estimated = not tokens_in or (not tokens_out and bool(said))
    if not tokens_in:
        tokens_in = estimate_tokens(messages, tools)
    if not tokens_out:
        tokens_out = count_tokens(said)
    details = getattr(told, "prompt_tokens_details", None)
    cached = int(getattr(details, "cached_tokens", 0) or 0)
    cost = _cost(model, None if estimated else response, price, tokens_in, tokens_out)
    return Counted(Usage(1, tokens_in, cached, tokens_out, cost), estimated)


def estimate_tokens(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> int:
    """About how many tokens a request has, whatever the model."""
    texts, images = request_texts(messages, tools)
    return count_tokens("\n".join(texts)) + images * TOKENS_AN_IMAGE


def request_texts(
    messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
) -> tuple[list[str], int]:
    """All that a request says, and how many images it carries beside."""
    texts = [json.dumps([tool.name, tool.description, dict(tool.parameters)]) for tool in tools]
    images = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            parts = cast("list[dict[str, Any]]", content)
            pictures = [part for part in parts if part.get("type") == "image_url"]
            images += len(pictures)
            message = {**message, "content": [part for part in parts if part not in pictures]}
        texts.append(json.dumps(dict(message), ensure_ascii=False))
    return texts, images


def _cost(
    model: str, response: Any, price: Price | None, tokens_in: int, tokens_out: int
) -> float | None:
    """US dollars, None where the price is unknown."""
    known = price or price_of(model)
    if known is None:
        return None
    if price is None and response is not None:
        try:
            # litellm's own sum knows of cached tokens and of tiers.
            cost = float(litellm().completion_cost(completion_response=response, model=model))
        # It raises bare exceptions where its map lacks a field.
        except Exception:  # noqa: BLE001
            cost = 0.0
        # Nothing of what has a price is free, even where litellm finds it so.
        if cost > 0:
            return cost
    return (tokens_in * known[0] + tokens_out * known[1]) / 1e6
