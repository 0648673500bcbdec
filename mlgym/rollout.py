"""The only episode loop: an agent decides, the environment steps, everything is recorded.

However an episode ends, `rollout` returns an outcome: what the agent, its model, the task or the
sandbox did wrong is classified here, and nowhere else.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import gymnasium as gym

from mlgym.agent import Agent, Decision, Observation
from mlgym.branches import Branches
from mlgym.decisions import checked
from mlgym.env import MLGymEnv, Status
from mlgym.errors import ModelError, SandboxError, TaskError
from mlgym.models.base import ContextOverflowError, ToolsUnsupportedError
from mlgym.types import ExitReason, Score, Transition, Usage


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """What the model calls of one episode may cost: US dollars, tokens in and out together.

    The call that crosses a limit has been paid for, so its action is still run.
    """

    cost_usd: float | None = None
    tokens: int | None = None

    def left(self, used: Usage) -> tuple[float | None, int | None]:
        """What is left of them, None where there is no limit (or where the cost is unknown)."""
        usd = None
        if self.cost_usd is not None and used.cost_usd is not None:
            usd = max(0.0, self.cost_usd - used.cost_usd)
        tokens = None if self.tokens is None else max(0, self.tokens - used.total_tokens)
        return usd, tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended. `steps` counts actions. `error` is empty, or says what failed."""

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
    on_action: Callable[[str], None] = lambda _: None,
    log: Callable[[str], None] = lambda _: None,
    fallback: Callable[[], Agent] | None = None,
    branching: bool = False,
) -> Outcome:
    """Play one episode of `env` (an `MLGymEnv`, wrapped or not) with `agent`.

    `on_transition` gets every transition as it happens, thought and usage filled in; also one for
    an action that the infrastructure failed under. `on_action` gets every action before it is run.
    `fallback` makes the agent to go on with where the model's server refuses tools at the first
    step. With `branching` the agent may go back to earlier states (`Decision.goto`); steps, time,
    cost and the best validation count over all branches. A first interrupt (Ctrl-C) ends the
    episode by the rule, a second one does not wait for the grading.

    Raises only what these callables raise, and `ConfigError` out of `reset`.
    """
    limits = limits or RolloutLimits()
    branches = Branches(cast(MLGymEnv, env.unwrapped), log) if branching else None
    return _Rollout(env, agent, limits, on_transition, on_action, log, fallback, branches).play(
        seed
    )


@dataclass(slots=True)
class _Rollout:
    env: gym.Env[str, str]
    agent: Agent
    limits: RolloutLimits
    on_transition: Callable[[Transition], None]
    on_action: Callable[[str], None]
    log: Callable[[str], None]
    fallback: Callable[[], Agent] | None
    branches: Branches | None
    steps: int = 0
    last_step: int = -1
    total_reward: float = 0.0
    usage: Usage = field(default_factory=Usage)
    error: str = ""
    underway: Decision | None = None

    @property
    def inner(self) -> MLGymEnv:
        return cast(MLGymEnv, self.env.unwrapped)

    def play(self, seed: int | None) -> Outcome:
        try:
            try:
                self._episode(seed)
            except KeyboardInterrupt:
                if self.underway is not None:
                    self.log(f"interrupted while this ran: {self.underway.action}")
                if self.inner.started and self.inner.exit_reason is None:
                    self._finish(Decision("", finish=ExitReason.INTERRUPTED))
        except KeyboardInterrupt:
            self.log("interrupted twice: not graded")
        except SandboxError as error:
            return self._lost(ExitReason.SANDBOX_ERROR, error)
        except TaskError as error:
            return self._lost(ExitReason.TASK_ERROR, error)
        finally:
            if self.branches is not None:
                self.branches.close()
        if not self.inner.started:
            return self._outcome("unscored", ExitReason.INTERRUPTED)
        return self._outcome(self.inner.status, self.inner.exit_reason or ExitReason.INTERRUPTED)

    def _episode(self, seed: int | None) -> None:
        self.env.reset(seed=seed)
        self._record(Decision(""))
        decision = self._ask()
        while decision.finish is None:
            self.on_action(decision.action)
            self.underway = decision
            self.steps += 1
            self._go_back(decision)
            self.env.step(decision.action)
            self._record(decision)
            if self.inner.exit_reason is not None:
                return
            decision = self._limit_reached() or self._ask()
        self._finish(decision)

    def _finish(self, decision: Decision) -> None:
        self.underway = decision
        self._go_back(decision)
        self.inner.finish(decision.finish or ExitReason.INTERRUPTED)
        self._record(decision)

    def _go_back(self, decision: Decision) -> None:
        """Bring back the state that a decision was made for, if it is not the present one."""
        if self.branches is not None:
            keep = decision.keep and decision.finish is None
            self.branches.leave(decision.goto, keep=keep)

    def _ask(self) -> Decision:
        """The agent's next decision; what its own code raises is a decision to end the episode."""
        observation = self._observation()
        try:
            if observation.step == 0:
                self.agent.reset(self.inner.brief, self.inner.tools)
            decision = checked(self.agent.act(observation), observation.kept)
        except ContextOverflowError as error:
            return self._failed(ExitReason.CONTEXT_OVERFLOW, str(error))
        except ToolsUnsupportedError as error:
            if self.fallback is None or observation.step > 0:
                return self._failed(ExitReason.MODEL_ERROR, str(error))
            self.log(f"the model takes no tools ({error}); going on in plain text")
            self.agent, self.fallback = self.fallback(), None
            return self._ask()
        except ModelError as error:
            return self._failed(ExitReason.MODEL_ERROR, str(error))
        # Whatever else the agent's own code raises is its author's to see, and ends its episode.
        except (Exception, SystemExit):  # noqa: BLE001
            return self._failed(ExitReason.AGENT_ERROR, traceback.format_exc())
        self.usage += decision.usage
        if decision.finish is ExitReason.MODEL_ERROR:
            # The agent caught the error, so that what its earlier calls cost is not lost.
            self._failed(ExitReason.MODEL_ERROR, decision.thought)
        return decision

    def _observation(self) -> Observation:
        inner = self.inner
        last = _present(inner.last_transition)
        best = inner.best_validation
        usd, tokens = self.limits.left(self.usage)
        return Observation(
            text=last.observation,
            step=inner.step_count,
            remaining_steps=inner.remaining_steps,
            remaining_s=inner.remaining_s,
            cost_usd=self.usage.cost_usd,
            metrics=last.metrics,
            reward=last.reward,
            remaining_usd=usd,
            remaining_tokens=tokens,
            part_left=self._part_left(usd, tokens),
            best_metrics=None if best is None else dict(best.metrics),
            kept=() if self.branches is None else self.branches.kept,
            image=inner.episode.image,
        )

    def _part_left(self, usd: float | None, tokens: int | None) -> float:
        """The smallest part left of any budget."""
        inner, limits = self.inner, self.limits
        parts = [inner.remaining_steps / inner.max_steps]
        parts.append(inner.remaining_s / inner.task.spec.budget.wall_s)
        if usd is not None and limits.cost_usd:
            parts.append(usd / limits.cost_usd)
        if tokens is not None and limits.tokens:
            parts.append(tokens / limits.tokens)
        return min(1.0, max(0.0, min(parts)))

    def _limit_reached(self) -> Decision | None:
        if self.limits.tokens is not None and self.usage.total_tokens >= self.limits.tokens:
            return Decision("", finish=ExitReason.TOKEN_LIMIT)
        if self.limits.cost_usd is None:
            return None
        if self.usage.cost_usd is None:
            if self.limits.tokens is not None:
                return None  # that one can be kept
            words = "a model call's price is unknown: the cost limit cannot be kept"
            return self._failed(ExitReason.COST_LIMIT, words)
        if self.usage.cost_usd >= self.limits.cost_usd:
            return Decision("", finish=ExitReason.COST_LIMIT)
        return None

    def _failed(self, reason: ExitReason, words: str) -> Decision:
        self.error = words
        self.log(f"{reason}: {words}")
        return Decision("", finish=reason)

    def _record(self, decision: Decision) -> None:
        """Hand on what the environment made of a decision."""
        self.underway = None
        made = _present(self.inner.last_transition)
        self.last_step = made.step
        self.total_reward += made.reward
        usage = decision.usage if decision.usage.calls else None
        self.on_transition(replace(made, thought=decision.thought, usage=usage))

    def _lost(self, reason: ExitReason, error: Exception) -> Outcome:
        """The episode is void. The action under which it was lost is recorded all the same."""
        self._failed(reason, str(error))
        if self.underway is not None:
            here = _present(self.inner.last_transition).step
            gone = self.underway.goto
            self.on_transition(
                Transition(
                    step=self.last_step + 1,
                    parent=here if gone is None else gone,
                    thought=self.underway.thought,
                    action=None if self.underway.finish else self.underway.action,
                    observation=f"{reason}: {error}\n",
                    reward=0.0,
                    terminated=False,
                    truncated=True,
                    tool="lost",
                    usage=self.underway.usage if self.underway.usage.calls else None,
                    time=time.time(),
                )
            )
        return self._outcome("infrastructure_failure", reason)

    def _outcome(self, status: Status, reason: ExitReason) -> Outcome:
        started = self.inner.started
        return Outcome(
            status=status,
            exit_reason=reason,
            score=self.inner.score if started else None,
            best_validation=self.inner.best_validation if started else None,
            steps=self.steps,
            # What a void episode paid is void too.
            total_reward=0.0 if reason.is_infrastructure else self.total_reward,
            usage=self.usage,
            error=self.error,
        )


def _present(transition: Transition | None) -> Transition:
    if transition is None:
        raise SandboxError("the environment was reset and tells of no transition")
    return transition
