"""An agent that another agent asks, and copies of it that go on by themselves."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from mlgym.agent import Agent, Decision, Observation
from mlgym.errors import ModelError
from mlgym.types import ExitReason, Usage


@dataclass(frozen=True, slots=True)
class InnerAgent:
    """An agent made for another one. `tools` names those it may call, all where None.

    All its copies share what is in `shared`: the model.
    """

    agent: Agent
    tools: tuple[str, ...] | None = None
    shared: tuple[object, ...] = ()

    def ask(self, seen: Observation, spent: Usage) -> Decision:
        """What it decides, where `spent` has been used since the observation.

        That is part of the decision's usage, and what the agent sees as left is less by it. Where
        nothing is left it is not asked: the decision is to finish.

        Raises what the agent raises, but for a `ModelError` with which `spent` would be lost.
        """
        usd, tokens = seen.remaining_usd, seen.remaining_tokens
        if usd is not None and spent.cost_usd is not None:
            usd = max(0.0, usd - spent.cost_usd)
        if tokens is not None:
            tokens = max(0, tokens - spent.total_tokens)
        if spent.calls and 0 in (usd, tokens):
            reason = ExitReason.TOKEN_LIMIT if tokens == 0 else ExitReason.COST_LIMIT
            return Decision("", "", spent, reason)
        try:
            decision = self.agent.act(replace(seen, remaining_usd=usd, remaining_tokens=tokens))
        except ModelError as error:
            if not spent.calls:
                raise
            return Decision("", str(error), spent, ExitReason.MODEL_ERROR)
        return replace(decision, usage=spent + decision.usage)

    def fork(self) -> InnerAgent:
        """A copy at the same point of an episode: what becomes of either is nothing to the other.

        An agent with a method `fork() -> Agent` is asked for it; any other one is copied deeply.

        Raises:
            TypeError: it holds what cannot be copied.
        """
        fork = getattr(self.agent, "fork", None)
        if callable(fork):
            return replace(self, agent=cast(Agent, fork()))
        try:
            agent = copy.deepcopy(self.agent, {id(item): item for item in self.shared})
        except Exception as error:  # whatever somebody's own objects raise
            name = type(self.agent).__name__
            raise TypeError(f"{name} cannot be copied, give it a fork(): {error}") from error
        return replace(self, agent=agent)


class MakeAgent(Protocol):
    """Makes an agent by name, folder or import path, with the same model.

    Raises ConfigError: there is no such agent, it cannot be made, or it branches by itself.
    """

    def __call__(self, wanted: str, settings: Mapping[str, Any] | None = None) -> InnerAgent: ...
