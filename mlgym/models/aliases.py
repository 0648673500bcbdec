"""Short names of models, and how providers deploy them, from `aliases.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at one provider: litellm's name for it, its window in tokens, function calling.

    `tools` is None where nobody says. `source` is where the figures stand.
    """

    model: str
    window: int
    source: str
    tools: bool | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name. It stands for the first of its deployments."""

    name: str
    deployments: tuple[Deployment, ...]

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
    return tuple(
        Alias(name, tuple(Deployment(**fields) for fields in found))
        for name, found in yaml.safe_load(text).items()
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
