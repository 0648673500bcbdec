"""What a run is asked to be: one frozen value, from a command line, a file, or code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mlgym.errors import ConfigError


class RunConfig(BaseModel):
    """One run. Prices are in US dollars per million tokens, (input, output)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    agent: str = "toolcaller"
    model: str | None = None
    api_base: str | None = None
    sandbox: str = "auto"
    data: Literal["auto", "mini", "full"] = "auto"
    data_seed: int = Field(0, ge=0)
    seed: int = 0
    max_steps: int | None = Field(None, ge=1)
    cost_limit: float | None = Field(None, gt=0)
    token_limit: int | None = Field(None, ge=1)
    price: tuple[float, float] | None = None
    temperature: float | None = Field(None, ge=0)
    context_window: int | None = Field(None, ge=1)
    fallbacks: tuple[str, ...] = ()
    runtime: str | None = None
    memory: Path | None = None
    literature: str | None = None
    out: Path = Path("runs")
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])

    @field_validator("price")
    @classmethod
    def _not_negative(cls, price: tuple[float, float] | None) -> tuple[float, float] | None:
        if price is not None and min(price) < 0:
            raise ValueError("prices of at least 0")
        return price

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """A config of these fields. Raises ConfigError naming field, value and expectation."""
        try:
            return cls(**fields)
        except ValidationError as error:
            found = error.errors()[0]
            name = ".".join(map(str, found["loc"])).replace("_", "-")
            raise ConfigError(
                f"--{name}: found {found['input']!r}, expected: {_expected(found['msg'])}"
            ) from None

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def _expected(message: str) -> str:
    """What pydantic says, without its way of beginning."""
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return message[:1].lower() + message[1:]
