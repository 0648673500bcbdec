"""The episode loop: whatever goes wrong, and whoever's fault it is, an outcome comes back."""

import signal
import threading
import time

import gymnasium as gym
import pytest

from mlgym.agent import Decision
from mlgym.env import MLGymEnv
from mlgym.errors import ModelError, SandboxError, TaskError
from mlgym.models.base import ContextOverflowError, ToolsUnsupportedError
from mlgym.rollout import RolloutLimits, rollout
from mlgym.types import ExitReason, Usage


class Script:
    """An agent that gives its decisions in turn; an exception among them is raised."""

    def __init__(self, *decisions, on_reset=None):
        self.decisions = list(decisions)
        self.on_reset = on_reset
        self.seen = []

    def reset(self, brief, tools):
        if self.on_reset is not None:
            raise self.on_reset
        self.brief, self.tools = brief, tools

    def act(self, observation):
        self.seen.append(observation)
        decision = self.decisions.pop(0)
        if isinstance(decision, BaseException):
            raise decision
        return Decision(decision) if isinstance(decision, str) else decision


class Recorder(list):
    """Transitions, and what was logged."""

    def __init__(self):
        self.logged = []


@pytest.fixture(scope="module")
def env():
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini", max_steps=8)
    yield env
    env.close()


def play(env, agent, **options):
    kept = Recorder()
    outcome = rollout(
        env, agent, seed=0, on_transition=kept.append, log=kept.logged.append, **options
    )
    return outcome, kept


def paid(action, cost=0.25, tokens=100):
    return Decision(action, "thinking", Usage(1, tokens, 0, 10, cost))


def test_an_agent_that_submits_is_scored_and_every_step_is_recorded(env):
    agent = Script("ls", paid("validate"), "submit")
    outcome, kept = play(env, agent)
    assert (outcome.status, outcome.exit_reason) == ("scored", "submitted")
    assert (outcome.steps, outcome.error) == (3, "")
    assert [line.action for line in kept] == [None, "ls", "validate", "submit"]
    assert [line.step for line in kept] == [0, 1, 2, 3]
    assert [line.thought for line in kept] == ["", "", "thinking", ""]
    assert [line.usage and line.usage.calls for line in kept] == [None, None, 1, None]
    assert outcome.total_reward == pytest.approx(sum(line.reward for line in kept))
    assert outcome.best_validation.split == "validation"
    assert outcome.score.source == "submitted"


def test_an_agent_sees_its_brief_the_budget_and_what_its_last_action_gave(env):
    agent = Script("echo hi; sleep 0.2", paid("validate", None), "forfeit")
    outcome, _ = play(env, agent)
    assert agent.brief.task == "battle_of_sexes"
    assert "validate" in [tool.name for tool in agent.tools]
    first, second, third = agent.seen
    assert (first.step, first.remaining_steps, first.cost_usd) == (0, 8, 0.0)
    assert first.text == agent.brief.description
    assert (second.step, second.remaining_steps, second.text) == (1, 7, "hi\n")
    assert second.remaining_s <= first.remaining_s - 0.2
    assert third.metrics.keys() == {"payoff"}
    assert third.cost_usd is None
    assert (outcome.status, outcome.exit_reason) == ("unscored", "forfeited")


def test_a_wrapped_environment_is_played_through_its_wrappers(env):
    class Loud(gym.Wrapper):
        def step(self, action):
            return super().step(action.upper() if action == "echo a" else action)

    _, kept = play(Loud(env), Script("echo a", "forfeit"))
    assert kept[1].action == "ECHO A"


def test_actions_are_told_before_they_are_run(env):
    told = []
    play(env, Script("ls", "forfeit"), on_action=told.append)
    assert told == ["ls", "forfeit"]


def test_the_budget_of_steps_ends_the_episode(env):
    outcome, kept = play(env, Script(*["true"] * 20))
    assert (outcome.exit_reason, outcome.steps, len(kept)) == ("max_steps", 8, 9)
    assert outcome.score.source == "last_workspace"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (RolloutLimits(cost_usd=0.5), ExitReason.COST_LIMIT),
        (RolloutLimits(tokens=220), ExitReason.TOKEN_LIMIT),
    ],
)
def test_a_limit_ends_the_episode_after_the_action_that_was_paid_for(env, limits, reason):
    outcome, kept = play(env, Script(*[paid("true")] * 8), limits=limits)
    assert (outcome.exit_reason, outcome.status) == (reason, "scored")
    assert [line.action for line in kept] == [None, "true", "true", None]
    assert outcome.steps == 2
    assert outcome.usage == Usage(2, 200, 0, 20, 0.5)
    assert sum((line.usage for line in kept if line.usage), Usage()) == outcome.usage


def test_a_submit_that_crosses_the_limit_still_counts(env):
    outcome, _ = play(env, Script(paid("submit", 9.0)), limits=RolloutLimits(cost_usd=0.5))
    assert outcome.exit_reason == "submitted"


def test_a_price_that_becomes_unknown_ends_a_run_with_a_cost_limit_only(env):
    script = [paid("true"), paid("true", None), "forfeit"]
    outcome, kept = play(env, Script(*script), limits=RolloutLimits(cost_usd=5))
    assert (outcome.exit_reason, outcome.usage.cost_usd) == ("cost_limit", None)
    assert "price is unknown" in outcome.error
    assert "price is unknown" in kept.logged[-1]
    outcome, _ = play(env, Script(*script), limits=RolloutLimits(tokens=5000))
    assert (outcome.exit_reason, outcome.usage.cost_usd) == ("forfeited", None)


@pytest.mark.parametrize("reason", [ExitReason.FORMAT_ERRORS, ExitReason.CONTEXT_OVERFLOW])
def test_an_agent_may_end_its_episode_and_the_calls_behind_it_are_counted(env, reason):
    agent = Script("validate", Decision("", "lost", Usage(3, 5, 0, 7, 0.1), reason))
    outcome, kept = play(env, agent)
    assert (outcome.exit_reason, outcome.score.source) == (reason, "best_validated")
    assert outcome.usage.calls == 3
    assert (kept[-1].action, kept[-1].thought, kept[-1].usage.calls) == (None, "lost", 3)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (KeyError("oops"), "KeyError: 'oops'"),
        (SystemExit(2), "SystemExit: 2"),
        (SandboxError("I am no sandbox"), "I am no sandbox"),
        (Decision("", finish=ExitReason.SUBMITTED), "which no agent can"),
        (Decision("", finish=ExitReason.SANDBOX_ERROR), "which no agent can"),
        (Decision(None), "must be texts"),
        (Decision("ls", thought=None), "must be texts"),
        ({"action": "ls"}, "expected a Decision"),
    ],
)
def test_a_mistake_in_the_agent_s_own_code_is_an_agent_error(env, wrong, told):
    outcome, kept = play(env, Script("validate", wrong))
    assert (outcome.status, outcome.exit_reason) == ("scored", "agent_error")
    assert outcome.score.source == "best_validated"
    assert told in outcome.error
    assert "Traceback" in kept.logged[-1]


def test_an_agent_that_cannot_even_begin_is_an_agent_error(env):
    outcome, kept = play(env, Script(on_reset=ZeroDivisionError()))
    assert (outcome.exit_reason, outcome.steps, len(kept)) == ("agent_error", 0, 2)


def test_a_model_that_fails_for_good_voids_the_episode_and_its_rewards(env):
    solve = "printf 'def row_strategy(h):\\n    return 0\\n' > strategy.py"
    outcome, kept = play(env, Script(solve, "validate", ModelError("401")))
    assert (outcome.status, outcome.exit_reason) == ("infrastructure_failure", "model_error")
    assert sum(line.reward for line in kept) > 0.9
    assert (outcome.total_reward, outcome.score) == (0.0, None)
    assert outcome.best_validation.normalized > 0.9
    assert (kept[-1].tool, kept[-1].truncated, outcome.error) == ("finish", True, "401")


def test_a_context_overflow_that_the_agent_lets_out_is_scored(env):
    outcome, _ = play(env, Script("validate", ContextOverflowError("too long", 8192)))
    assert (outcome.status, outcome.exit_reason) == ("scored", "context_overflow")


def test_a_server_that_refuses_tools_moves_the_episode_to_the_fallback(env):
    other = Script("submit")
    outcome, kept = play(env, Script(ToolsUnsupportedError("no tools")), fallback=lambda: other)
    assert outcome.exit_reason == "submitted"
    assert other.seen[0].text == other.brief.description
    assert "going on in plain text" in kept.logged[0]


def test_refused_tools_are_a_model_error_without_a_fallback_or_later_on(env):
    refusal = ToolsUnsupportedError("no tools")
    assert play(env, Script(refusal))[0].exit_reason == "model_error"
    outcome, _ = play(env, Script("ls", refusal), fallback=lambda: Script("submit"))
    assert outcome.exit_reason == "model_error"
    outcome, _ = play(env, Script(refusal), fallback=lambda: Script(refusal))
    assert outcome.exit_reason == "model_error"


class Failing(gym.Wrapper):
    """Loses the sandbox under one action, as the environment itself would tell of it."""

    def __init__(self, env, error, at):
        super().__init__(env)
        self.error, self.at = error, at

    def reset(self, **options):
        if self.at is None:
            raise self.error
        return super().reset(**options)

    def step(self, action):
        if action != self.at:
            return super().step(action)
        with self.env.episode.voided_by_failures():
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [(SandboxError("lost"), "sandbox_error"), (TaskError("broken grader"), "task_error")],
)
def test_a_failure_of_the_infrastructure_voids_the_episode_and_names_the_action(env, error, reason):
    outcome, kept = play(Failing(env, error, "boom"), Script("validate", paid("boom")))
    assert (outcome.status, outcome.exit_reason) == ("infrastructure_failure", reason)
    assert (outcome.steps, outcome.score, outcome.total_reward) == (2, None, 0.0)
    last = kept[-1]
    assert (last.step, last.parent, last.action, last.tool) == (2, 1, "boom", "lost")
    assert (last.truncated, last.usage.calls) == (True, 1)
    assert str(error) in last.observation
    assert outcome.error == str(error)


def test_a_reset_that_fails_is_an_outcome_too():
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini")
    outcome, kept = play(Failing(env, SandboxError("no room"), None), Script("ls"))
    assert (outcome.status, outcome.exit_reason) == ("infrastructure_failure", "sandbox_error")
    assert (outcome.steps, kept, outcome.error) == (0, [], "no room")


def interrupt_sleep(action):
    # Half a second after a command that sleeps was sent.
    def send():
        time.sleep(0.5)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    if action.startswith("sleep"):
        threading.Thread(target=send, daemon=True).start()


def test_an_interrupt_during_a_command_scores_the_best_validation(env):
    agent = Script("validate", "sleep 60", "echo never")
    play_began = time.monotonic()
    outcome, kept = play(env, agent, on_action=interrupt_sleep)
    assert (outcome.status, outcome.exit_reason) == ("scored", "interrupted")
    assert outcome.score.source == "best_validated"
    assert (kept[-1].action, kept[-1].tool) == (None, "finish")
    assert time.monotonic() - play_began < 20
    # The environment goes on being usable.
    assert play(env, Script("cat strategy.py", "submit"))[0].exit_reason == "submitted"


def test_an_interrupt_during_a_command_scores_the_workspace_where_nothing_was_validated(env):
    outcome, _ = play(env, Script("sleep 60"), on_action=interrupt_sleep)
    assert (outcome.status, outcome.exit_reason) == ("scored", "interrupted")
    assert outcome.score.source == "last_workspace"


def test_an_interrupt_while_the_agent_thinks_ends_the_episode_by_the_rule(env):
    outcome, _ = play(env, Script("ls", KeyboardInterrupt()))
    assert (outcome.status, outcome.exit_reason) == ("scored", "interrupted")


def test_a_second_interrupt_does_not_wait_for_the_grading(env, monkeypatch):
    def impatient(_reason):
        raise KeyboardInterrupt

    monkeypatch.setattr(env, "finish", impatient)
    outcome, _ = play(env, Script("ls", KeyboardInterrupt()))
    assert (outcome.status, outcome.exit_reason) == ("unscored", "interrupted")


def test_an_interrupted_reset_is_an_unscored_outcome():
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini")
    outcome, kept = play(Failing(env, KeyboardInterrupt(), None), Script("ls"))
    assert (outcome.status, outcome.exit_reason) == ("unscored", "interrupted")
    assert kept == []
