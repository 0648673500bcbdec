"""Short names of models, from `aliases.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name, what litellm calls the model, and where its figures come from."""

    name: str
    model: str
    source: str


def aliases() -> dict[str, Alias]:
    """All short names."""
    text = Path(__file__).with_name("aliases.yaml").read_text("utf-8")
    return {name: Alias(name, **fields) for name, fields in yaml.safe_load(text).items()}


def resolve_alias(name: str) -> str:
    """litellm's name for `name`, which may be one already."""
    known = aliases().get(name)
    return known.model if known else name
