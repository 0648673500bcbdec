"""Makes models by name, and refuses early what cannot work: no key, no price, no such name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlgym.errors import ConfigError, unknown_name
from mlgym.models.aliases import aliases, resolve_alias
from mlgym.models.base import Model

Record = Callable[[Mapping[str, Any]], None]
SCRIPTED = "scripted:"


class ModelSettings(BaseModel):
    """How a model is called. Prices are US dollars per million tokens, (input, output)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = None
    max_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    timeout_s: float = Field(600.0, gt=0)
    retries: int = Field(6, ge=0)
    longest_wait_s: float = Field(60.0, ge=0)
    price: tuple[float, float] | None = None
    api_base: str | None = None

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """Settings of these fields. Raises ConfigError naming field, value and expectation."""
        try:
            return cls(**fields)
        except ValidationError as error:
            found = error.errors()[0]
            name = ".".join(map(str, found["loc"]))
            raise ConfigError(
                f"model settings: {name}: found {found['input']!r}, expected: {found['msg']}"
            ) from None


def make_model(name: str, settings: ModelSettings, record: Record | None = None) -> Model:
    """The model `name`: an alias, litellm's own name, or `scripted:<file.jsonl>`.

    `record` gets an entry for everything said to and by the model.
    """
    if name.startswith(SCRIPTED):
        from mlgym.models.scripted import ScriptedModel

        return ScriptedModel.from_file(name.removeprefix(SCRIPTED))
    from mlgym.models.litellm import LiteLLMModel

    return LiteLLMModel(resolve_alias(name), settings, record or (lambda _: None))


def check_key(name: str, api_base: str | None = None) -> None:
    """Make sure that the provider of `name` is known and its key is set.

    Raises:
        ConfigError: names the environment variable, or the nearest model names.
    """
    if name.startswith(SCRIPTED):
        return
    from mlgym.models.library import litellm, model_facts

    model = resolve_alias(name)
    library = litellm()
    try:
        library.get_llm_provider(model, api_base=api_base)
    except library.exceptions.BadRequestError:
        raise unknown_name("model", name, _known(), "mlgym models list") from None
    if api_base is not None:
        return
    if "/" not in model and not model_facts(model):
        raise unknown_name("model", name, _known(), "mlgym models list")
    missing = [
        key for key in library.validate_environment(model)["missing_keys"] if key not in os.environ
    ]
    if missing:
        raise ConfigError(f"the model {name} needs a key: set {' and '.join(missing)}")


def _known() -> list[str]:
    from mlgym.models.library import litellm

    return [*aliases(), *litellm().model_cost]


def check_price(name: str, price: tuple[float, float] | None) -> None:
    """Make sure that a cost limit can be kept. Raises ConfigError where the price is unknown."""
    from mlgym.models.library import price_of

    if price is None and not name.startswith(SCRIPTED) and price_of(resolve_alias(name)) is None:
        raise ConfigError(
            f"--cost-limit: the price of {name} is unknown; give --price IN,OUT (US dollars per"
            " million tokens), or use --token-limit"
        )
