"""Models through litellm: one request at a time, tried again where that helps, counted, recorded.

Retries are ours, not litellm's: it would wait without telling, and not by `Retry-After`.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlgym.errors import ModelError
from mlgym.models.accounting import account, estimate_tokens
from mlgym.models.base import (
    ContextOverflowError,
    Message,
    ModelToolCall,
    Reply,
    ToolsUnsupportedError,
    in_openai_form,
)
from mlgym.models.caching import cache_marks
from mlgym.models.failures import is_held_back, retry_after, sort_failure
from mlgym.models.fits import check_fits
from mlgym.models.images import count_images
from mlgym.models.library import provider_of, supports_tools, window
from mlgym.models.pace import Pace, Unpaced, lane_of
from mlgym.models.request import ask_within
from mlgym.models.settings import ModelSettings
from mlgym.models.transcript import Record, Transcript
from mlgym.types import ToolSpec

_KEPT = ("role", "content", "thinking_blocks", "provider_specific_fields")
"""What of a message goes back into the history: providers want their own thoughts returned."""
_KEPT_WITH_CALLS = "reasoning_content"
"""Wanted back with a call, an empty one too, and nowhere else (DeepSeek, guide "Thinking Mode").

Its older models refuse it without a call, and react would pay for it in every request.
"""
_KEPT_OF_CALLS = ("provider_specific_fields",)


class LiteLLMModel:
    """One model of one provider, by litellm's name for it."""

    def __init__(
        self,
        model: str,
        settings: ModelSettings,
        record: Record = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        pace: Pace | None = None,
    ) -> None:
        self.name = model
        self._settings = settings
        self._pace = pace or Unpaced()
        self._transcript = Transcript(model, record)
        self._sleep = sleep

    @property
    def context_window(self) -> int | None:
        return self._settings.context_window or window(self.name)

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """See `Model.complete`. A try that failed is repeated after growing, jittered waits."""
        if tools and not supports_tools(self.name):
            raise ToolsUnsupportedError(f"{self.name} is known to have no function calling")
        request = self._request(messages, tools)
        try:
            reply = self._settings.max_tokens or 0
            check_fits(self.name, self.context_window, messages, tools, reply)
        except ContextOverflowError as error:
            self._transcript.failure(str(error))
            raise
        self._transcript.request(messages, tools, self._settings.sent())
        lane = lane_of(provider_of(self.name), self._settings.api_base)
        for tried in range(1, self._settings.retries + 2):
            ticket = self._pace.enter(lane, lambda: estimate_tokens(messages, tools))
            began = time.monotonic()
            try:
                response = ask_within(request, self._settings.timeout_s)
            # This is where a provider's failures are classified, whatever litellm makes of them.
            except Exception as error:  # noqa: BLE001
                self._pace.settle(lane, ticket, 0)
                wait = self._wait(error, tried, bool(tools), count_images(*messages) > 0)
                if is_held_back(error):
                    self._pace.pause(lane, wait)
            else:
                reply = self._reply(response, messages, tools, time.monotonic() - began)
                self._pace.settle(lane, ticket, reply.usage.total_tokens)
                return reply
            self._sleep(wait)
        raise ModelError(f"{self.name}: no answer after {self._settings.retries + 1} tries")

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [dict(message) for message in messages],
            "timeout": self._settings.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
            # What a provider has no such parameter for (a seed, a temperature) is left out. Tools
            # never are: see `complete`.
            "drop_params": True,
            **self._settings.sent(),
            **cache_marks(self.name, messages),
        }
        if self._settings.api_base is not None:
            request["api_base"] = self._settings.api_base
            if provider_of(self.name) == "openai" and not os.environ.get("OPENAI_API_KEY"):
                # A local server asks for no key, but its client insists on one.
                request["api_key"] = "none"
        if tools:
            request["tools"] = in_openai_form(tools)
        return request

    def _wait(self, error: Exception, tried: int, with_tools: bool, with_images: bool) -> float:
        """How long to wait before the next try, in seconds; raises where there is none."""
        settings = self._settings
        try:
            reason = sort_failure(self.name, error, with_tools, with_images)
            if tried > settings.retries:
                raise ModelError(f"{self.name}: {reason} ({tried} tries)") from error
            wait = retry_after(error)
            if wait is not None and wait > settings.longest_retry_after_s:
                raise ModelError(
                    f"{self.name}: the server asks for a wait of {wait:.0f} s: {reason}"
                ) from error
        except ModelError as final:
            self._transcript.failure(str(final))
            raise
        if wait is None:
            wait = min(2.0 ** (tried - 1), settings.longest_wait_s) * random.uniform(0.5, 1.0)
        self._transcript.retry(reason, wait)
        return wait

    def _reply(
        self, response: Any, messages: Sequence[Message], tools: Sequence[ToolSpec], seconds: float
    ) -> Reply:
        choice = response.choices[0]
        text = _clean(choice.message.content or "")
        calls = _calls(choice.message.tool_calls or ())
        counted = account(self.name, response, self._settings.price, messages, tools, text, calls)
        self._transcript.reply(
            response.model_dump(warnings=False),
            counted.usage,
            estimated=counted.estimated,
            latency_s=seconds,
        )
        message = _message(choice.message.model_dump(warnings=False), text, calls)
        return Reply(text, calls, counted.usage, message, choice.finish_reason or "stop")


def _clean(text: str) -> str:
    """Without lone surrogates, which could neither be sent back nor be run."""
    return text.encode("utf-8", "replace").decode()


def _calls(found: Sequence[Any]) -> tuple[ModelToolCall, ...]:
    calls: list[ModelToolCall] = []
    for number, call in enumerate(found):
        ident = call.id or f"call_{number}"
        if any(ident == other.id for other in calls):
            ident = f"{ident}_{number}"
        name, arguments = _clean(call.function.name or ""), _clean(call.function.arguments or "")
        calls.append(ModelToolCall(ident, name, arguments))
    return tuple(calls)


def _message(raw: Mapping[str, Any], text: str, calls: Sequence[ModelToolCall]) -> Message:
    """The message as it may be sent back.

    Servers refuse a history that holds a call without a proper name or with broken JSON, even where
    the model itself wrote it: such a call keeps its id and loses the rest.
    """
    message = {key: raw[key] for key in _KEPT if raw.get(key)}
    message |= {"role": "assistant", "content": text or None}
    if not calls:
        message["content"] = text or "(empty reply)"
        return message
    if raw.get(_KEPT_WITH_CALLS) is not None:
        message[_KEPT_WITH_CALLS] = raw[_KEPT_WITH_CALLS]
    message["tool_calls"] = [
        {
            **{key: given[key] for key in _KEPT_OF_CALLS if given.get(key)},
            "id": call.id,
            "type": "function",
            "function": {
                "name": re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unnamed",
                "arguments": call.arguments if _is_object(call.arguments) else "{}",
            },
        }
        for call, given in zip(calls, raw.get("tool_calls") or (), strict=False)
    ]
    return message


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
