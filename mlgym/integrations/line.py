"""The line from an episode's thread to the model that verifiers serves on its event loop.

A thread cannot be ended from outside, a request on the loop can: so the thread waits for one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from mlgym.errors import ModelError
from mlgym.integrations.player import reply_of
from mlgym.models.base import ContextOverflowError, Message, Reply, in_openai_form
from mlgym.types import ExitReason, ToolSpec

_OVERFLOW = re.compile(
    r"(maximum|available|exceeds?).{0,20}context|context[ _]?(length|window|size)"
    r"|(prompt|input|request).{0,20} too (long|large)|reduce the length",
    re.I,
)


class Line:
    """`ask` is for the episode's thread, everything else for the loop's.

    `trace` is verifiers' own: what it says of a limit goes before the error that follows from it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, endpoint: str, secret: str, model: str, trace: Any
    ) -> None:
        # Here, so that whoever lacks verifiers is told so at once.
        from openai import AsyncOpenAI

        self._loop, self._model, self._trace = loop, model, trace
        self._client = AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None)
        self._request: Future[dict[str, Any]] | None = None
        self._cut = False

    def ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply | ExitReason:
        """See `player.Ask`.

        Raises:
            ContextOverflowError: the conversation does not fit the model.
            ModelError: verifiers could not get a reply.
        """
        from openai import APIError, APIStatusError

        self._request = asyncio.run_coroutine_threadsafe(self._ask(messages, tools), self._loop)
        if self._cut:
            self._request.cancel()
        try:
            return reply_of(self._request.result())
        except CancelledError:
            return ExitReason.INTERRUPTED
        except APIError as error:
            stopped = str(self._trace.stop_condition or "")
            if stopped:
                return ExitReason.TOKEN_LIMIT if "token" in stopped else ExitReason.INTERRUPTED
            status = error.status_code if isinstance(error, APIStatusError) else None
            if status in (400, 413) and _OVERFLOW.search(str(error)):
                raise ContextOverflowError(str(error)) from error
            raise ModelError(str(error)) from error

    def hang_up(self) -> None:
        """End the request that is under way, and every later one before it begins."""
        self._cut = True
        if self._request is not None:
            self._request.cancel()

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        request: Any = {"model": self._model, "messages": list(messages)}
        if tools:
            request["tools"] = in_openai_form(tools)
        create: Any = self._client.chat.completions.create
        completion = await create(**request)
        return completion.choices[0].message.model_dump(exclude_none=True)
