"""The only episode loop: an agent decides, the environment steps, everything is recorded.

However an episode ends, `rollout` returns an outcome: what the agent, its model, the task or the
sandbox did wrong is classified here, and nowhere else.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym

from mlgym.agent import Agent, Decision, Observation
from mlgym.env import MLGymEnv, Status
from mlgym.errors import ModelError, SandboxError, TaskError
from mlgym.models.base import ToolsUnsupportedError
from mlgym.types import ExitReason, Score, Transition, Usage


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """What the model calls of one episode may cost: US dollars, tokens in and out together."""

    cost_usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended. `error` is empty, or says what failed."""

    status: Status
    exit_reason: ExitReason
    score: Score | None
    best_validation: Score | None
    steps: int
    total_reward: float
    usage: Usage
    error: str = ""


def rollout(
    env: gym.Env[str, str],
    agent: Agent,
    *,
    seed: int | None = None,
    limits: RolloutLimits | None = None,
    on_transition: Callable[[Transition], None] = lambda _: None,
    log: Callable[[str], None] = lambda _: None,
    fallback: Callable[[], Agent] | None = None,
) -> Outcome:
    """Play one episode of `env` (an `MLGymEnv`, wrapped or not) with `agent`.

    `on_transition` gets every transition as it happens, thought and usage filled in. `fallback`
    makes the agent to go on with where the model's server refuses tools at the first step.

    Raises only what `on_transition` and `log` raise, and `ConfigError` out of `reset`.
    """
    return _Rollout(env, agent, limits or RolloutLimits(), on_transition, log, fallback).play(seed)


class _Rollout:
    def __init__(
        self,
        env: gym.Env[str, str],
        agent: Agent,
        limits: RolloutLimits,
        on_transition: Callable[[Transition], None],
        log: Callable[[str], None],
        fallback: Callable[[], Agent] | None,
    ) -> None:
        self.env = env
        self.inner = cast(MLGymEnv, env.unwrapped)
        self.agent = agent
        self.limits = limits
        self.on_transition = on_transition
        self.log = log
        self.fallback = fallback
        self.usage = Usage()
        self.error = ""

    def play(self, seed: int | None) -> Outcome:
        reason: ExitReason | None = None
        try:
            text, info = self.env.reset(seed=seed)
            self._record(Decision(""))
            try:
                self.agent.reset(self.inner.brief, self.inner.tools)
                reward, over = 0.0, False
                while not over:
                    decision = self._decide(self._observation(text, info, reward))
                    reason = decision.finish or self._limit_reached()
                    if reason is not None:
                        break
                    text, paid, ended, cut, info = self.env.step(decision.action)
                    reward = float(paid)
                    over = ended or cut
                    self._record(decision)
            except KeyboardInterrupt:
                reason = ExitReason.INTERRUPTED
            except ModelError as error:
                reason = self._failed(ExitReason.MODEL_ERROR, str(error))
            except _AgentError as error:
                reason = self._failed(ExitReason.AGENT_ERROR, str(error))
            if reason is not None and self.inner.exit_reason is None:
                self.inner.finish(reason)
                self._record(Decision(""))
        except SandboxError as error:
            return self._outcome(self._failed(ExitReason.SANDBOX_ERROR, str(error)))
        except TaskError as error:
            return self._outcome(self._failed(ExitReason.TASK_ERROR, str(error)))
        return self._outcome(self.inner.exit_reason or ExitReason.INTERRUPTED)

    def _decide(self, observation: Observation) -> Decision:
        try:
            decision = self.agent.act(observation)
        except ToolsUnsupportedError as error:
            if self.fallback is None or observation.step > 0:
                raise
            self.log(f"the model takes no tools ({error}); going on in plain text")
            self.agent = self.fallback()
            self.agent.reset(self.inner.brief, self.inner.tools)
            return self._decide(observation)
        except (ModelError, KeyboardInterrupt):
            raise
        # Whatever else the agent's own code raises is its author's to see, and ends its episode.
        except Exception as error:
            raise _AgentError(traceback.format_exc()) from error
        self.usage += decision.usage
        return decision

    def _limit_reached(self) -> ExitReason | None:
        if self.limits.tokens is not None and self.usage.total_tokens >= self.limits.tokens:
            return ExitReason.TOKEN_LIMIT
        if self.limits.cost_usd is None:
            return None
        if self.usage.cost_usd is None:
            self.log("a model call's price is unknown: the cost limit cannot be kept")
            return ExitReason.COST_LIMIT
        return ExitReason.COST_LIMIT if self.usage.cost_usd >= self.limits.cost_usd else None

    def _observation(self, text: str, info: dict[str, Any], reward: float) -> Observation:
        return Observation(
            text=text,
            step=self.inner.step_count,
            remaining_steps=self.inner.remaining_steps,
            remaining_s=self.inner.remaining_s,
            cost_usd=self.usage.cost_usd,
            metrics=info.get("metrics"),
            reward=reward,
        )

    def _record(self, decision: Decision) -> None:
        transition = self.inner.last_transition
        if transition is not None:
            usage = decision.usage if decision.usage.calls else None
            self.on_transition(replace(transition, thought=decision.thought, usage=usage))

    def _failed(self, reason: ExitReason, words: str) -> ExitReason:
        self.error = words
        self.log(f"{reason}: {words}")
        return reason

    def _outcome(self, reason: ExitReason) -> Outcome:
        inner = self.inner
        if not inner.started:
            return Outcome(
                "infrastructure_failure", reason, None, None, 0, 0.0, self.usage, self.error
            )
        return Outcome(
            status=inner.status,
            exit_reason=reason,
            score=inner.score,
            best_validation=inner.best_validation,
            steps=inner.step_count,
            # What a void episode paid is void too.
            total_reward=0.0 if reason.is_infrastructure else inner.episode.total_reward,
            usage=self.usage,
            error=self.error,
        )


class _AgentError(Exception):
    """The agent's own code failed; the message is its traceback."""
