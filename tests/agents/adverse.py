"""Scripts of models and servers at their worst, and how an episode under each must end.

A script is told in a `Tongue`, which says the same thing to either agent in its own language: as a
function call to `toolcaller`, as a thought and a fenced block to `react`. The task is to write a
number into `answer.txt`; validation gives the number, the test part one less. The scripts are in
`adverse_models` and `adverse_servers`, which fill `CASES`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_server import (
    Answer,
    calls,
    says,
)

from mlgym.rollout import RolloutLimits
from mlgym.tools.registry import parse_action


@dataclass(frozen=True)
class Tongue:
    """How an agent is spoken to."""

    agent: str

    def do(self, action: str, **fields: Any) -> Answer:
        if self.agent == "react":
            return says(f"So.\n\n````\n{action}\n````", **fields)
        call = parse_action(action)
        return Answer("So.", calls((call.name, call.arguments)).calls, **fields)

    def both(self, function: Answer, text: str) -> Answer:
        """One of two, where the languages have nothing in common."""
        return function if self.agent == "toolcaller" else says(text)

    @property
    def good(self) -> Answer:
        return self.do("echo 6 > answer.txt")

    @property
    def better(self) -> Answer:
        return self.do("echo 8 > answer.txt")

    @property
    def validate(self) -> Answer:
        return self.do("validate")

    @property
    def submit(self) -> Answer:
        return self.do("submit")


Tell = Callable[[Tongue], Iterator[Answer]]


@dataclass(frozen=True)
class Case:
    """`ends`: exit reason, and the test score or None; by agent where the two differ."""

    tell: Tell
    ends: Mapping[str, tuple[str, float | None]]
    limits: RolloutLimits = field(default_factory=RolloutLimits)
    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])
    hurried: bool = False


CASES: dict[str, Case] = {}
REFUSAL = says("I'm sorry, but I can't help with that.")


def case(
    exit_reason: str,
    value: float | None,
    *,
    react: tuple[str, float | None] | None = None,
    **fields: Any,
) -> Callable[[Tell], Tell]:
    """Adds a script to the table under its function's name."""

    def add(tell: Tell) -> Tell:
        ends = {"toolcaller": (exit_reason, value), "react": react or (exit_reason, value)}
        CASES[tell.__name__] = Case(tell, ends, **fields)
        return tell

    return add


def ever(*answers: Answer) -> Iterator[Answer]:
    return itertools.cycle(answers)


def amid(name: str, *wrong: Answer, by: Callable[[Tongue], list[Answer]] | None = None) -> None:
    """Adds a script in which what goes wrong does so in the middle of good work."""

    def tell(t: Tongue) -> Iterator[Answer]:
        yield from [*wrong[:1], t.good, *(by(t) if by else wrong), t.submit]

    tell.__name__ = name
    case("submitted", 5.0)(tell)


def only(name: str, answer: Answer, exit_reason: str, value: float | None = None) -> None:
    """Adds two scripts: nothing else from the start, and nothing else after a validation."""

    def from_the_start(_: Tongue) -> Iterator[Answer]:
        yield from ever(answer)

    def after_work(t: Tongue) -> Iterator[Answer]:
        yield from [t.good, t.validate, *[answer] * 60]

    from_the_start.__name__, after_work.__name__ = f"{name}_ever", f"{name}_after_work"
    case(exit_reason, None)(from_the_start)
    case(exit_reason, value)(after_work)
