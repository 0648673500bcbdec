"""litellm, loaded late and kept quiet, and what it knows of models without asking the network."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def litellm() -> Any:
    """The litellm module. Importing it costs seconds: only who calls a model pays that.

    Its types are too loose for strict checking, so it is `Any` from here on.
    """
    # Read at import: without it litellm fetches its price map from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    library: Any = import_module("litellm")
    library.suppress_debug_info = True
    library.telemetry = False
    library.drop_params = True
    return library


def model_facts(model: str) -> dict[str, Any]:
    """What litellm's own map says of a model: prices, windows, capabilities. Empty if unknown."""
    library = litellm()
    try:
        return dict(library.get_model_info(model))
    # litellm raises a bare Exception for a model that it does not know.
    except Exception:  # noqa: BLE001
        return {}


def window(model: str) -> int | None:
    """The context window in tokens, None where unknown."""
    found = model_facts(model).get("max_input_tokens")
    return int(found) if found else None


def lacks_tools(model: str) -> bool:
    """True only for a model that is known to have no function calling."""
    facts = model_facts(model)
    return bool(facts) and facts.get("supports_function_calling") is False


def price_of(model: str) -> tuple[float, float] | None:
    """US dollars per million tokens (input, output), None where unknown."""
    facts = model_facts(model)
    prices = facts.get("input_cost_per_token"), facts.get("output_cost_per_token")
    if prices[0] is None or prices[1] is None or not any(prices):
        return None
    return float(prices[0]) * 1e6, float(prices[1]) * 1e6
