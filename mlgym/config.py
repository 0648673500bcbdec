"""What a run, and a suite of runs, is asked to be: frozen values from flags, a file, or code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mlgym.errors import ConfigError

FieldPath = tuple[int | str, ...]
Where = Callable[[FieldPath], str]


class _Shared(BaseModel):
    """What a run is asked for whatever its task, agent and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_base: str | None = None
    sandbox: str = "auto"
    data: Literal["auto", "mini", "full"] = "auto"
    data_seed: int = Field(0, ge=0)
    max_steps: int | None = Field(None, ge=1)
    cost_limit: float | None = Field(None, gt=0)
    token_limit: int | None = Field(None, ge=1)
    price: tuple[float, float] | None = None
    temperature: float | None = Field(None, ge=0)
    context_window: int | None = Field(None, ge=1)
    fallbacks: tuple[str, ...] = ()
    runtime: str | None = None
    literature: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    gpus: tuple[str, ...] = ()

    @field_validator("price")
    @classmethod
    def _not_negative(cls, price: tuple[float, float] | None) -> tuple[float, float] | None:
        if price is not None and min(price) < 0:
            raise ValueError("prices of at least 0")
        return price

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class RunConfig(_Shared):
    """One run. Prices are in US dollars per million tokens, (input, output).

    `gpus` are the ids of those that it gets, for a task that asks for some; where there are none it
    gets as many as it asks for, whichever.
    """

    task: str
    agent: str = "toolcaller"
    model: str | None = None
    seed: int = 0
    memory: Path | None = None
    out: Path = Path("runs")

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


class SuiteModel(BaseModel):
    """A model of a suite: its name, and what holds for it instead of what the suite says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    api_base: str | None = None
    price: tuple[float, float] | None = None
    temperature: float | None = Field(None, ge=0)
    context_window: int | None = Field(None, ge=1)
    fallbacks: tuple[str, ...] | None = None

    def own(self) -> dict[str, Any]:
        """What it says of itself, as fields of a `RunConfig`."""
        return self.model_dump(exclude_none=True)


class Rate(BaseModel):
    """How much one provider may be asked for, by all jobs together: in any minute at most `rpm`
    requests and `tpm` tokens, in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: int | None = Field(None, ge=1)
    tpm: int | None = Field(None, ge=1)


class EvalConfig(_Shared):
    """A suite: every task with every agent on every model, once for each seed.

    `seeds` is a number or a list. `gpus` is the pool that cells lease from. `rates` is by provider,
    `*` for those that are not named. A failure of the infrastructure is tried again up to `retries`
    times, after `backoff_s` seconds and then twice that; while the sandbox's engine is down nothing
    counts as tried, and after `patience_s` seconds of that the suite gives up.
    """

    name: str | None = None
    tasks: tuple[str, ...] = Field(min_length=1)
    agents: tuple[str, ...] = Field(("toolcaller",), min_length=1)
    models: tuple[SuiteModel, ...] = ()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    out: Path | None = None
    jobs: int = Field(1, ge=1)
    share_gpus: bool = False
    rates: dict[str, Rate] = Field(default_factory=dict[str, Rate])
    retries: int = Field(2, ge=0, le=2)
    backoff_s: float = Field(10.0, ge=0)
    patience_s: float = Field(1800.0, ge=0)

    @field_validator("tasks", "agents", "gpus", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return _split(given)

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """A name alone will do."""
        found = _split(given)
        if not isinstance(found, list | tuple):
            return found
        names = cast("Sequence[Any]", found)
        return tuple({"model": one} if isinstance(one, str) else one for one in names)

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, given: Any) -> Any:
        if isinstance(given, int) and not isinstance(given, bool):
            if given < 1:
                raise ValueError("at least 1 seed")
            return tuple(range(given))
        return given

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [model.model for model in self.models]
        for field, found in (("tasks", self.tasks), ("agents", self.agents), ("models", names)):
            twice = sorted({one for one in found if list(found).count(one) > 1})
            if twice:
                raise ValueError(f"each name once in {field}, found {twice[0]!r} again")
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("seeds of at least 0, each once")
        return self

    @classmethod
    def make(cls, fields: Mapping[str, Any], where: Where) -> Self:
        """A config of these fields. `where` says of a field's path where that was set.

        Raises ConfigError naming place, field, value and expectation.
        """
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            path, value = found["loc"], repr(found["input"])[:200]
            expected = _expected(found["msg"])
            if not path:
                value = "this combination"
            if found["type"] == "missing":
                value, expected = "nothing", "a value: it is required"
            if found["type"] == "extra_forbidden":
                value, expected = "an unknown field", _known(path)
            raise ConfigError(f"{where(path)}: found {value}, expected: {expected}") from None


def _split(given: Any) -> Any:
    """A list from a text with commas; numbers in it, as GPUs have, are texts."""
    if isinstance(given, int) and not isinstance(given, bool):
        return [str(given)]
    if isinstance(given, str):
        return [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, list):
        found = cast("list[Any]", given)
        return [str(one) if isinstance(one, int) else one for one in found]
    return given


def _known(path: FieldPath) -> str:
    """The fields that there are beside the unknown one at `path`."""
    inner = {"models": SuiteModel, "rates": Rate}.get(str(path[0])) if path[1:] else EvalConfig
    known = list(inner.model_fields) if inner else []
    near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    return f"{near[0]}?" if near else f"one of {', '.join(known)}" if known else "no such field"


def _expected(message: str) -> str:
    """What pydantic says, without its way of beginning."""
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return message[:1].lower() + message[1:]
