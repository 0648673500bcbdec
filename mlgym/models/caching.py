"""Where a prompt's prefix is marked for a provider that caches only what is marked.

OpenAI, Gemini, DeepSeek and most servers of one's own cache prefixes by themselves; Anthropic's
models ask for marks, which litellm translates for each provider that serves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgym.models.base import Message
from mlgym.models.library import litellm


def cache_marks(model: str, messages: Sequence[Message]) -> dict[str, Any]:
    """The parameters that mark the stable prefix of a request; none where no marks are needed.

    The last message ends with what changes at every step. Before it, the last one with a text is
    marked: a mark on calls alone would not be sent.
    """
    if "claude" not in model or not litellm().utils.supports_prompt_caching(model):
        return {}
    texts = [place for place, said in enumerate(messages[:-1]) if said.get("content")]
    return {
        "cache_control_injection_points": [
            {"location": "message", "index": place} for place in sorted({0, *texts[-1:]})
        ]
    }
