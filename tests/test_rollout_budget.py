"""What the rollout tells an agent of its budgets."""

import pytest

from mlgym.agent import Decision
from mlgym.env import MLGymEnv
from mlgym.rollout import RolloutLimits, rollout
from mlgym.types import Usage


class Watcher:
    """An agent that does as it is told and keeps what it saw."""

    def __init__(self, *decisions):
        self.decisions = list(decisions)
        self.seen = []

    def reset(self, brief, tools):
        del brief, tools

    def act(self, observation):
        self.seen.append(observation)
        return self.decisions.pop(0)


@pytest.fixture(scope="module")
def env():
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini", max_steps=8)
    yield env
    env.close()


def paid(action, cost=0.25):
    return Decision(action, "thinking", Usage(1, 100, 0, 10, cost))


def test_an_agent_sees_what_is_left_of_every_budget_and_the_best_validation(env):
    agent = Watcher(paid("validate"), paid("true", 0.5), Decision("forfeit"))
    rollout(env, agent, limits=RolloutLimits(cost_usd=1.0, tokens=1100))
    first, second, third = agent.seen
    assert (first.remaining_usd, first.remaining_tokens, first.part_left) == (1.0, 1100, 1.0)
    assert (second.remaining_usd, second.remaining_tokens) == (0.75, 990)
    assert (third.remaining_usd, third.part_left) == (0.25, 0.25)
    assert first.best_metrics is None
    assert third.metrics is None
    assert third.best_metrics == second.metrics


def test_without_limits_the_steps_are_what_is_left(env):
    agent = Watcher(Decision("true"), Decision("forfeit"))
    rollout(env, agent)
    seen = agent.seen[1]
    assert (seen.remaining_usd, seen.remaining_tokens, seen.part_left) == (None, None, 7 / 8)


@pytest.mark.parametrize(("tokens", "reason"), [(5000, "forfeited"), (220, "token_limit")])
def test_where_a_price_is_unknown_a_limit_on_tokens_is_kept_instead_of_that_on_cost(
    env, tokens, reason
):
    agent = Watcher(paid("true", None), paid("true", None), Decision("forfeit"))
    outcome = rollout(env, agent, limits=RolloutLimits(cost_usd=1.0, tokens=tokens))
    assert (outcome.exit_reason, outcome.usage.cost_usd) == (reason, None)
    assert agent.seen[1].remaining_usd is None
    assert agent.seen[1].remaining_tokens == tokens - 110
