"""Models through litellm: one request at a time, retried, counted, recorded."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlgym.errors import ModelError
from mlgym.models.base import (
    ContextOverflowError,
    Message,
    ModelToolCall,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.models.library import litellm, price_of, window
from mlgym.models.registry import ModelSettings
from mlgym.types import ToolSpec, Usage

_OVERFLOW = re.compile(
    r"context.{0,20}(length|window)|too many tokens|prompt is too long|maximum.{0,20}tokens", re.I
)
_WINDOW = re.compile(r"(?:maximum|max)\D{0,40}?(\d{3,8})", re.I)
_NO_TOOLS = re.compile(
    r"(tool|function).{0,60}(not support|unsupported|not allowed|not enabled)"
    r"|(not support|unsupported).{0,60}(tool|function)",
    re.I | re.S,
)
_SHOWN = 2000


class LiteLLMModel:
    """One model of one provider."""

    def __init__(
        self,
        model: str,
        settings: ModelSettings,
        record: Callable[[Mapping[str, Any]], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = model
        self._settings = settings
        self._record = record
        self._sleep = sleep
        self._sent: list[Message] = []

    @property
    def context_window(self) -> int | None:
        return window(self.name)

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """See `Model.complete`. A failed try is repeated with growing, jittered waits."""
        request = self._request(messages, tools)
        self._record_request(messages, tools)
        for attempt in range(self._settings.retries + 1):
            began = time.monotonic()
            try:
                response = litellm().completion(**request)
                reply = self._reply(response, messages)
            # litellm's errors share no base of their own; `_classify` raises all but what may pass.
            except Exception as error:  # noqa: BLE001
                wait = self._classify(error, attempt, bool(tools))
                self._record({"kind": "retry", "reason": str(error)[:_SHOWN], "wait_s": wait})
                self._sleep(wait)
                continue
            self._record_reply(response, reply, time.monotonic() - began)
            return reply
        raise ModelError(f"{self.name}: no answer after {self._settings.retries + 1} tries")

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        settings = self._settings
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [dict(message) for message in messages],
            "num_retries": 0,
            "max_retries": 0,
            "timeout": settings.timeout_s,
        }
        optional = {
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
            "api_base": settings.api_base,
            # A local server asks for no key, its client does.
            "api_key": _local_key(self.name) if settings.api_base else None,
        }
        request |= {key: value for key, value in optional.items() if value is not None}
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in tools
            ]
        return request

    def _classify(self, error: Exception, attempt: int, with_tools: bool) -> float:
        """How long to wait before the next try, in seconds; raises where there is none."""
        kinds = litellm().exceptions
        words = str(error)
        if isinstance(error, kinds.ContextWindowExceededError) or (
            isinstance(error, kinds.BadRequestError) and _OVERFLOW.search(words)
        ):
            found = _WINDOW.search(words)
            raise ContextOverflowError(
                f"{self.name}: {words[:_SHOWN]}", int(found[1]) if found else None
            ) from error
        refused = isinstance(error, kinds.BadRequestError | kinds.UnsupportedParamsError)
        if with_tools and refused and _NO_TOOLS.search(words):
            raise ToolsUnsupportedError(f"{self.name}: {words[:_SHOWN]}") from error
        passing = (
            kinds.RateLimitError,
            kinds.Timeout,
            kinds.APIConnectionError,
            kinds.InternalServerError,
            kinds.ServiceUnavailableError,
            kinds.BadGatewayError,
            _EmptyReplyError,
        )
        status = getattr(error, "status_code", None)
        may_pass = isinstance(error, passing) or (isinstance(status, int) and status >= 500)
        if not may_pass or attempt == self._settings.retries:
            raise ModelError(f"{self.name}: {type(error).__name__}: {words[:_SHOWN]}") from error
        told = _retry_after(error)
        longest = self._settings.longest_wait_s
        if told is not None:
            return min(told, longest)
        return min(2.0**attempt, longest) * random.uniform(0.5, 1.0)

    def _reply(self, response: Any, messages: Sequence[Message]) -> Reply:
        if not response.choices:
            raise _EmptyReplyError("an answer without choices")
        choice = response.choices[0]
        message = choice.message
        calls = tuple(
            ModelToolCall(
                call.id or f"call_{index}", call.function.name or "", call.function.arguments or ""
            )
            for index, call in enumerate(message.tool_calls or ())
        )
        kept = {
            key: value
            for key, value in message.model_dump().items()
            if key in ("role", "content", "tool_calls", "thinking_blocks") and value
        }
        kept.setdefault("content", None if calls else "")
        usage = self._usage(response, messages, message.content or "")
        return Reply(message.content or "", calls, usage, kept, choice.finish_reason or "stop")

    def _usage(self, response: Any, messages: Sequence[Message], text: str) -> Usage:
        counted = getattr(response, "usage", None)
        tokens_in = int(getattr(counted, "prompt_tokens", 0) or 0)
        tokens_out = int(getattr(counted, "completion_tokens", 0) or 0)
        if not tokens_in:
            # The server did not count: four characters a token is near enough to keep limits.
            tokens_in = sum(len(json.dumps(dict(message))) for message in messages) // 4
            tokens_out = len(text) // 4
        details = getattr(counted, "prompt_tokens_details", None)
        cached = int(getattr(details, "cached_tokens", 0) or 0)
        return Usage(1, tokens_in, cached, tokens_out, self._cost(response, tokens_in, tokens_out))

    def _cost(self, response: Any, tokens_in: int, tokens_out: int) -> float | None:
        price = self._settings.price
        if price is not None:
            return (tokens_in * price[0] + tokens_out * price[1]) / 1e6
        price = price_of(self.name)
        if price is None:
            return None
        try:
            # litellm's own sum knows of cached tokens and tiers.
            return float(litellm().completion_cost(completion_response=response, model=self.name))
        except Exception:  # noqa: BLE001 - it raises bare exceptions where a field is missing
            return (tokens_in * price[0] + tokens_out * price[1]) / 1e6

    def _record_request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        kept = 0
        for before, now in zip(self._sent, messages, strict=False):
            if before != now:
                break
            kept += 1
        self._sent = list(messages)
        self._record(
            {
                "kind": "request",
                "model": self.name,
                "kept": kept,
                "messages": [dict(message) for message in messages[kept:]],
                "tools": [tool.name for tool in tools],
            }
        )

    def _record_reply(self, response: Any, reply: Reply, seconds: float) -> None:
        self._record(
            {
                "kind": "reply",
                "raw": response.model_dump(),
                "usage": reply.usage.to_json(),
                "estimated": not getattr(getattr(response, "usage", None), "prompt_tokens", 0),
                "latency_s": round(seconds, 3),
            }
        )


class _EmptyReplyError(Exception):
    """The server answered with nothing in it."""


def _local_key(model: str) -> str | None:
    import os

    provider = model.partition("/")[0].upper()
    return None if os.environ.get(f"{provider}_API_KEY") else "none"


def _retry_after(error: Exception) -> float | None:
    """Seconds of a `Retry-After` header, None where there is none."""
    for holder in (getattr(error, "response", None), error):
        headers = getattr(holder, "headers", None) or getattr(
            holder, "litellm_response_headers", None
        )
        value = headers.get("retry-after") if headers is not None else None
        if value is not None and re.fullmatch(r"\d+(\.\d+)?", str(value)):
            return float(value)
    return None
