"""litellm, loaded late and kept quiet, and what it knows of models without asking the network.

What `aliases.yaml` says of a deployment goes before litellm's own map.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import Any

from mlgym.models.aliases import find_deployment

_PIECE = 10_000
"""Characters that are counted at once."""


def litellm() -> Any:
    """The litellm module. Importing it costs seconds: only who calls a model pays that.

    Its types are too loose for strict checking, so it is `Any` from here on.
    """
    # Read at import: without it litellm fetches its price map from the network.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # litellm's schemas make pydantic warn of things that no user can mend.
    warnings.filterwarnings("ignore", category=UserWarning, module="pydantic")
    library: Any = import_module("litellm")
    library.suppress_debug_info = True
    library.telemetry = False
    return library


def model_facts(model: str) -> dict[str, Any]:
    """What litellm's own map says of a model: prices, windows, capabilities. Empty if unknown."""
    library = litellm()
    try:
        return dict(library.get_model_info(model))
    # litellm raises a bare Exception for a model that it does not know.
    except Exception:  # noqa: BLE001
        return {}


def provider_of(model: str) -> str | None:
    """The provider that litellm would ask, None where it knows none."""
    library = litellm()
    try:
        return str(library.get_llm_provider(model)[1])
    except library.exceptions.BadRequestError:
        return None


def window(model: str) -> int | None:
    """The context window in tokens, None where unknown."""
    deployment = find_deployment(model)
    if deployment is not None:
        return deployment.window
    found = model_facts(model).get("max_input_tokens")
    return int(found) if found else None


def supports_tools(model: str) -> bool:
    """False only for a model, or a provider, that is known to have no function calling."""
    deployment = find_deployment(model)
    if deployment is not None and deployment.tools is not None:
        return deployment.tools
    known = model_facts(model).get("supports_function_calling")
    if known is not None:
        return bool(known)
    taken = litellm().get_supported_openai_params(
        model=model.partition("/")[2] or model, custom_llm_provider=provider_of(model)
    )
    return taken is None or "tools" in taken


def price_of(model: str) -> tuple[float, float] | None:
    """US dollars per million tokens (input, output), None where unknown."""
    facts = model_facts(model)
    prices = facts.get("input_cost_per_token"), facts.get("output_cost_per_token")
    if prices[0] is None or prices[1] is None or not any(prices):
        return None
    return round(float(prices[0]) * 1e6, 9), round(float(prices[1]) * 1e6, 9)


def count_tokens(text: str) -> int:
    """About how many tokens a text has, for servers that do not say.

    By the tokenizer that litellm carries with it, whatever the model: nothing is downloaded.
    """
    counter = litellm().token_counter
    # In pieces: the tokenizer's time grows with the square of a word's length.
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return sum(int(counter(model="gpt-4", text=piece)) for piece in pieces)
