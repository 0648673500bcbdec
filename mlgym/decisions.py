"""What a rollout takes from an agent, and what it refuses as a mistake in the agent's code."""

from __future__ import annotations

from collections.abc import Collection

from mlgym.agent import Decision
from mlgym.types import ExitReason

# Endings that are not an agent's to ask for: two are actions, two void the episode.
_NOT_FOR_AGENTS = (
    ExitReason.SUBMITTED,
    ExitReason.FORFEITED,
    ExitReason.SANDBOX_ERROR,
    ExitReason.TASK_ERROR,
)


def checked(decision: object, kept: Collection[int]) -> Decision:
    """What an agent returned, if the environment can do anything with it.

    `kept` are the steps that it may go back to, none where it does not branch.

    Raises:
        TypeError, ValueError: says what it returned and what was expected.
    """
    if not isinstance(decision, Decision):
        raise TypeError(f"act() returned {decision!r:.200}, expected a Decision")
    if not (_is_text(decision.action) and _is_text(decision.thought)):
        raise TypeError(f"act() returned {decision!r:.200}, whose action and thought must be texts")
    if decision.finish is not None and ExitReason(decision.finish) in _NOT_FOR_AGENTS:
        raise ValueError(f"act() asked to finish with {decision.finish}, which no agent can")
    if decision.goto is not None and decision.goto not in kept:
        asked = f"act() asked to go back to step {decision.goto!r}"
        if not kept:
            raise ValueError(f"{asked}, which takes `branching: true` in its agent.yaml")
        steps = ", ".join(map(str, kept))
        raise ValueError(f"{asked}, which is not among the steps that are kept: {steps}")
    return decision


def _is_text(value: object) -> bool:
    return isinstance(value, str)
