"""Two runs side by side: what was set differently, what came of it, where they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from mlgym.runs.store import RunFolder
from mlgym.types import Transition

_SET = (
    "task",
    "task_version",
    "task_sha256",
    "profile",
    "data_seed",
    "sandbox",
    "limits",
    "agent",
    "model",
    "seed",
    "baseline",
    "config",
    "versions",
)
_CAME = ("status", "exit_reason", "steps", "total_reward", "score", "best_validation", "usage")
_OF_THE_COMMAND = ("config.out",)
"""Where a run was kept is no part of what it was."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first step at which two trajectories differ in a field; None where one has no such step.

    `first` and `second` are what stands there in each.
    """

    step: int
    field: str
    first: str | None
    second: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Fields by their dotted names, with both values, where those differ."""

    config: Mapping[str, tuple[Any, Any]]
    result: Mapping[str, tuple[Any, Any]]
    action: Parting | None
    observation: Parting | None

    def to_json(self) -> dict[str, Any]:
        return {
            "config": {name: list(pair) for name, pair in self.config.items()},
            "result": {name: list(pair) for name, pair in self.result.items()},
            "action": asdict(self.action) if self.action else None,
            "observation": asdict(self.observation) if self.observation else None,
        }


def compare(first: RunFolder, second: RunFolder) -> Comparison:
    """How two runs differ. Raises ConfigError where one cannot be read."""
    one, other = first.record(), second.record()
    steps, others = first.transitions(), second.transitions()
    return Comparison(
        _differing(one, other, _SET),
        _differing(one, other, _CAME),
        _parting(steps, others, "action"),
        _parting(steps, others, "observation"),
    )


def _differing(
    one: Mapping[str, Any], other: Mapping[str, Any], names: Sequence[str]
) -> dict[str, tuple[Any, Any]]:
    first, second = (
        dict(_flat({name: record.get(name) for name in names}, "")) for record in (one, other)
    )
    return {
        name: (first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name) and name not in _OF_THE_COMMAND
    }


def _flat(found: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict) and value:
            yield from _flat(cast("dict[str, Any]", value), f"{before}{name}.")
        else:
            yield before + name, value


def _parting(
    steps: Sequence[Transition], others: Sequence[Transition], field: str
) -> Parting | None:
    for place in range(max(len(steps), len(others))):
        first, second = (
            getattr(each[place], field) if place < len(each) else None for each in (steps, others)
        )
        longer = steps if place < len(steps) else others
        if first != second or place >= min(len(steps), len(others)):
            return Parting(longer[place].step, field, first, second)
    return None
