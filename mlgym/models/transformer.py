"""A causal language model from a GGUF file or a saved folder, by transformers, on the CPU.

What a prompt shares with the text before it is not computed again: an agent's conversation grows at
its end, so that a step costs its own tokens only.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError

_PIECE = 256
"""Tokens of a prompt computed at once: between two pieces the time is looked at."""


@dataclass(frozen=True, slots=True)
class Said:
    """A continuation. `cached` counts the prompt's tokens that were known from before; `ended` is
    False where length or time cut it off."""

    tokens: tuple[int, ...]
    text: str
    cached: int
    ended: bool


class Transformer:
    """Loaded when it is made, which takes a quarter of a minute. `window` is in tokens.

    Raises ConfigError: the folder holds no causal language model with a chat template.
    """

    def __init__(self, path: Path) -> None:
        # Their types are too loose for strict checking.
        self._torch: Any = import_module("torch")
        library: Any = import_module("transformers")
        library.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
        found: dict[str, Any] = {"local_files_only": True}
        if path.is_file():
            found["gguf_file"] = path.name
        folder = str(path.parent if path.is_file() else path)
        # Its reader draws progress bars that no setting turns off.
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                self._tokenizer: Any = library.AutoTokenizer.from_pretrained(folder, **found)
                self._model: Any = library.AutoModelForCausalLM.from_pretrained(folder, **found)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: no causal language model: {error}") from error
        if self._tokenizer.chat_template is None or self._tokenizer.eos_token_id is None:
            raise ConfigError(f"{path}: the tokenizer has no chat template, or no end of text")
        self._model.eval()
        # The parameter was renamed on the way to transformers 6.
        taken = inspect.signature(self._model.forward).parameters
        self._cache_name = "cache" if "cache" in taken else "past_key_values"
        self._make_cache: Any = library.DynamicCache
        self._cache: Any = None
        self._held: list[int] = []
        self.window = int(self._model.config.max_position_embeddings)
        self._end = int(self._tokenizer.eos_token_id)

    def encoded(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """The prompt of a chat: roles and contents by the model's own template."""
        said = [
            {"role": role if role in ("system", "assistant") else "user", "content": content}
            for role, content in messages
        ]
        text = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def continued(
        self, prompt: Sequence[int], *, longest: int, temperature: float, seed: int, until: float
    ) -> Said:
        """At most `longest` tokens after `prompt`; none begins after `until` (monotonic)."""
        known = self._rewind(prompt)
        words: list[int] = []
        ended = False
        draw = self._torch.Generator().manual_seed(seed)
        with self._torch.inference_mode():
            for token in self._tokens(prompt[known:], temperature, draw, until):
                ended = token == self._end
                if ended:
                    break
                words.append(token)
                if len(words) == longest:
                    break
        text = self._tokenizer.decode(words, skip_special_tokens=True)
        return Said(tuple(words), str(text), known, ended)

    def _tokens(
        self, new: Sequence[int], temperature: float, draw: Any, until: float
    ) -> Iterator[int]:
        """One token after another, the first after `new`."""
        logits: Any = None
        for start in range(0, len(new), _PIECE):
            if time.monotonic() > until:
                return
            logits = self._read(new[start : start + _PIECE])
        while time.monotonic() <= until:
            if temperature:
                chances = self._torch.softmax(logits / temperature, dim=-1)
                token = int(self._torch.multinomial(chances, 1, generator=draw))
            else:
                token = int(logits.argmax())
            yield token
            logits = self._read([token])

    def _read(self, tokens: Sequence[int]) -> Any:
        """What may follow, after `tokens` too."""
        # An interrupt in between leaves the cache in doubt: then it is not used again.
        held, self._held = self._held, []
        given = self._torch.tensor([list(tokens)])
        made = self._model(
            input_ids=given, use_cache=True, logits_to_keep=1, **{self._cache_name: self._cache}
        )
        self._held = [*held, *tokens]
        return made.logits[0, -1]

    def _rewind(self, prompt: Sequence[int]) -> int:
        """Make the cache hold a beginning of `prompt` only; the length of that beginning."""
        same = 0
        # The last token is read in any case: what follows it is asked.
        for before, now in zip(self._held, prompt[:-1], strict=False):
            if before != now:
                break
            same += 1
        if not same:
            self._cache = self._make_cache(config=self._model.config)
        elif same < len(self._held):
            self._cache.crop(same - len(self._held))
        self._held = self._held[:same]
        return same
