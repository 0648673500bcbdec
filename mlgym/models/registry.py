"""Makes models by name, and refuses early what cannot work: no such name, no key, no price."""

from __future__ import annotations

import os

from mlgym.errors import ConfigError, unknown_name
from mlgym.models.aliases import aliases, resolve_alias
from mlgym.models.base import Model
from mlgym.models.facts import LOCAL, SCRIPTED, capabilities
from mlgym.models.fallback import FallbackModel
from mlgym.models.pace import Pace
from mlgym.models.settings import Fallback, ModelSettings
from mlgym.models.transcript import Record

__all__ = [
    "ModelSettings",
    "Record",
    "check_key",
    "check_model",
    "check_name",
    "check_price",
    "make_model",
]

_OWN = {"api_base", "context_window", "price"}


def make_model(
    name: str,
    settings: ModelSettings,
    record: Record | None = None,
    pace: Pace | None = None,
) -> Model:
    """The model `name`: a short name, litellm's own, `local/<name or folder>`, or
    `scripted:<file.jsonl>`.

    `record` gets an entry for everything said to and by the model: see `Transcript`. `pace` says
    when a provider may be asked; what needs none is not held back.

    Raises:
        ConfigError: no such model, a script that cannot be read, a library that is not installed.
    """
    record = record or (lambda _: None)
    first = _make(name, settings, record, pace)
    if not settings.fallbacks:
        return first
    others = [_make(other.model, settings.of(other), record, pace) for other in settings.fallbacks]
    return FallbackModel([first, *others], record)


def _make(name: str, settings: ModelSettings, record: Record, pace: Pace | None = None) -> Model:
    if name.startswith(SCRIPTED):
        from mlgym.models.scripted import ScriptedModel

        return ScriptedModel.from_file(name.removeprefix(SCRIPTED), record)
    if name.startswith(LOCAL):
        from mlgym.models.local import LocalModel

        return LocalModel(name, settings, record)
    from mlgym.models.litellm import LiteLLMModel

    return LiteLLMModel(_known_model(name), settings, record, pace=pace)


def check_model(name: str, settings: ModelSettings, *, priced: bool = False) -> None:
    """Refuse what cannot work: of the model and of its fallbacks, the name, the key, the price.

    `priced` says that a limit on cost is to be kept.

    Raises:
        ConfigError: see `check_key`, `check_price`.
    """
    for one in (Fallback(model=name, **settings.model_dump(include=_OWN)), *settings.fallbacks):
        check_key(one.model, one.api_base)
        if priced:
            check_price(one.model, one.price)


def check_name(name: str) -> None:
    """Make sure that there is a model `name`, or may be. Raises ConfigError."""
    if name.startswith(LOCAL):
        from mlgym.models.weights import check_weights

        check_weights(name)
    elif not name.startswith(SCRIPTED):
        _known_model(name)


def check_key(name: str, api_base: str | None = None) -> None:
    """Make sure that the provider of `name` is known and that its key is set.

    Raises:
        ConfigError: names the environment variable, or the nearest model names.
    """
    if name.startswith((SCRIPTED, LOCAL)):
        _make(name, ModelSettings.make(), lambda _: None)
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
    if price is None and not name.startswith(SCRIPTED) and capabilities(name).price is None:
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
