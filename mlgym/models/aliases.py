"""Short names of models, and how providers deploy them, from `aliases.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at one provider: litellm's name for it, its window and longest reply in tokens.

    `tools` is function calling, `packaging` the numbers that are served (`FP8`), `retires` the day
    of its announced end. None where nobody says. `source` is where the figures stand.
    """

    model: str
    window: int
    source: str
    output: int | None = None
    tools: bool | None = None
    images: bool | None = None
    packaging: str | None = None
    retires: str | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """One form in which the weights are to be had, and what runs it."""

    packaging: str
    about: str
    source: str


@dataclass(frozen=True, slots=True)
class License:
    """What a model's license asks of whoever builds on it."""

    name: str
    source: str
    duties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name. It stands for the first of its deployments."""

    name: str
    deployments: tuple[Deployment, ...]
    sizes: tuple[Size, ...] = ()
    license: License | None = None

    @property
    def model(self) -> str:
        """What litellm calls the model that the name stands for."""
        return self.deployments[0].model


def aliases() -> dict[str, Alias]:
    """All short names."""
    return {alias.name: alias for alias in _read()}


@cache
def _read() -> tuple[Alias, ...]:
    """The file never changes, and every request of a model looks its window up."""
    text = Path(__file__).with_name("aliases.yaml").read_text("utf-8")
    return tuple(_alias(name, fields) for name, fields in yaml.safe_load(text).items())


def _alias(name: str, fields: Mapping[str, Any]) -> Alias:
    terms = fields.get("license")
    return Alias(
        name,
        tuple(Deployment(**found) for found in fields["deployments"]),
        tuple(Size(**found) for found in fields.get("sizes", ())),
        License(terms["name"], terms["source"], tuple(terms["duties"])) if terms else None,
    )


def list_models() -> tuple[tuple[str, Deployment], ...]:
    """Every deployment with its short name, sorted by name; a name's first is what it means."""
    return tuple(
        (alias.name, deployment)
        for _, alias in sorted(aliases().items())
        for deployment in alias.deployments
    )


def resolve_alias(name: str) -> str:
    """litellm's name for `name`, which may be one already."""
    known = aliases().get(name)
    return known.model if known else name


def find_deployment(model: str) -> Deployment | None:
    """What we know of a model by litellm's name for it."""
    return next((found for _, found in list_models() if found.model == model), None)


def find_alias(model: str) -> Alias | None:
    """The short name that `model` is, or is a deployment of."""
    return next(
        (
            alias
            for alias in _read()
            if alias.name == model or any(found.model == model for found in alias.deployments)
        ),
        None,
    )
