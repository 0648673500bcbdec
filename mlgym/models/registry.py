"""Makes models by name, and refuses early what cannot work: no such name, no key, no price."""

from __future__ import annotations

import os

from mlgym.errors import ConfigError, unknown_name
from mlgym.models.aliases import aliases, resolve_alias
from mlgym.models.base import Model
from mlgym.models.settings import ModelSettings
from mlgym.models.transcript import Record

__all__ = ["ModelSettings", "Record", "check_key", "check_price", "make_model"]

SCRIPTED = "scripted:"


def make_model(name: str, settings: ModelSettings, record: Record | None = None) -> Model:
    """The model `name`: a short name, litellm's own, or `scripted:<file.jsonl>`.

    `record` gets an entry for everything said to and by the model: see `Transcript`.

    Raises:
        ConfigError: no such model, or a script that cannot be read.
    """
    record = record or (lambda _: None)
    if name.startswith(SCRIPTED):
        from mlgym.models.scripted import ScriptedModel

        return ScriptedModel.from_file(name.removeprefix(SCRIPTED), record)
    from mlgym.models.litellm import LiteLLMModel

    return LiteLLMModel(_known_model(name), settings, record)


def check_key(name: str, api_base: str | None = None) -> None:
    """Make sure that the provider of `name` is known and that its key is set.

    Raises:
        ConfigError: names the environment variable, or the nearest model names.
    """
    if name.startswith(SCRIPTED):
        make_model(name, ModelSettings.make())
        return
    from mlgym.models.library import litellm, provider_of

    model = _known_model(name)
    # A server of one's own need not have a key.
    if api_base is not None and provider_of(model) == "openai":
        return
    missing = [
        key
        for key in litellm().validate_environment(model)["missing_keys"]
        if key not in os.environ and not (key.endswith("_API_BASE"))
    ]
    # Gemini's key goes by two names, of which one will do.
    joined = " or " if all(key.endswith("_API_KEY") for key in missing) else " and "
    if missing:
        raise ConfigError(
            f"the model {name} needs a key: set {joined.join(missing)} in the environment"
        )


def check_price(name: str, price: tuple[float, float] | None) -> None:
    """Make sure that a cost limit can be kept. Raises ConfigError where the price is unknown."""
    from mlgym.models.library import price_of

    if price is None and not name.startswith(SCRIPTED) and price_of(resolve_alias(name)) is None:
        raise ConfigError(
            f"--cost-limit: the price of {name} is unknown; give --price IN,OUT (US dollars per"
            " million tokens), or use --token-limit"
        )


def _known_model(name: str) -> str:
    """litellm's name for `name`. Raises ConfigError where it knows no such model or provider."""
    from mlgym.models.library import litellm, provider_of

    model = resolve_alias(name)
    if not model.rpartition("/")[2] or provider_of(model) is None:
        known = [*aliases(), *litellm().model_cost]
        raise unknown_name("model", name, known, "mlgym models list")
    return model
