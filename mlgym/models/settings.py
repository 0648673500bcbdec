"""How a model is called."""

from __future__ import annotations

from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mlgym.errors import ConfigError


class Fallback(BaseModel):
    """A model to go on with where the one before it fails: its name, and what is its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    api_base: str | None = None
    context_window: int | None = Field(None, ge=1)
    price: tuple[float, float] | None = None


class ModelSettings(BaseModel):
    """How a model is called. Prices are US dollars per million tokens, (input, output).

    `retries` are tries after the first; the wait before each doubles up to `longest_wait_s`, or is
    what the server asks for: beyond `longest_retry_after_s` that is an error. `context_window` is
    in tokens and goes before what is known of the model. `timeout_s` is for a whole answer.
    `fallbacks` are models, or their names, to go on with where this one fails for good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    timeout_s: float = Field(600.0, gt=0)
    retries: int = Field(6, ge=0)
    longest_wait_s: float = Field(60.0, ge=0)
    longest_retry_after_s: float = Field(600.0, ge=0)
    context_window: int | None = Field(None, ge=1)
    price: tuple[float, float] | None = None
    api_base: str | None = None
    fallbacks: tuple[Fallback, ...] = ()

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """A name alone will do."""
        if not isinstance(given, list | tuple):
            return given
        found = cast("list[Any]", given)
        return [{"model": one} if isinstance(one, str) else one for one in found]

    def of(self, fallback: Fallback) -> Self:
        """The settings with which a fallback is called: these, but for what is its own."""
        return self.model_copy(update={**fallback.model_dump(exclude={"model"}), "fallbacks": ()})

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

    def sent(self) -> dict[str, Any]:
        """The parameters that go to the model, where they are set."""
        wanted = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }
        return {key: value for key, value in wanted.items() if value is not None}
