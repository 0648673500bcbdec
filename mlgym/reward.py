"""Turns metrics into scores and scores into rewards. Pure functions of frozen values.

The baseline scorer puts every metric on one scale: 0 at the task's baseline, 1 at its target,
whatever the metric's direction and unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mlgym.errors import ConfigError
from mlgym.task.scale import place_of
from mlgym.task.spec import TaskSpec
from mlgym.types import ExitReason, Split

CEILING = 2.0
"""The highest score that pays: one can beat the target, but not without bound."""


@dataclass(frozen=True, slots=True)
class BaselineScorer:
    """Scores one metric. On the scale `log`, all values are positive."""

    goal: Literal["maximize", "minimize"]
    scale: Literal["linear", "log"]
    baseline: float
    target: float

    def normalized(self, metric: float) -> float:
        """`(m - baseline) / (target - baseline)`, in logs where the scale is `log`; unclipped.

        -inf where the metric does not exist on the scale (NaN; not positive on `log`).
        """
        return place_of(metric, self.baseline, self.target, self.scale)

    def clipped(self, metric: float) -> float:
        """`s(m) = clip(normalized(m), 0, 2)`, what rewards are made of."""
        return min(max(self.normalized(metric), 0.0), CEILING)


def make_scorer(spec: TaskSpec, profile: str) -> BaselineScorer:
    """The scorer of a task's primary metric for one data profile."""
    metric, values = spec.primary, spec.profile(profile)
    return BaselineScorer(
        metric.goal, metric.scale, values.baseline[metric.name], values.target[metric.name]
    )


@dataclass(frozen=True, slots=True)
class RewardContext:
    """What a reward function may look at: one step and what came before it.

    `metrics` and `split` tell what this step's grading returned, None where nothing was graded or
    the submission was invalid. `score` is their clipped score in [0, 2], then 0. `best` is the
    highest clipped validation score of earlier steps, from 0. `exit_reason` is set on the last
    step only.
    """

    step: int
    tool: str
    exit_code: int | None
    metrics: Mapping[str, float] | None
    split: Split | None
    score: float
    best: float
    exit_reason: ExitReason | None
    scorer: BaselineScorer


RewardFunction = Callable[[RewardContext], float]
Reward = Literal["improvement", "final"] | RewardFunction


def improvement(context: RewardContext) -> float:
    """Pay each validation's gain over the best so far; settle on the last step.

    The return of an episode is exactly the test score, as the last step pays what is missing from
    it, or takes back what validation promised too much.
    """
    if context.exit_reason is not None:
        return context.score - context.best
    return max(0.0, context.score - context.best) if context.split == "validation" else 0.0


def final(context: RewardContext) -> float:
    """Pay the test score on the last step and nothing before."""
    return context.score if context.exit_reason is not None else 0.0


FOR_GRADES = (improvement, final)
"""What pays nothing for a step that neither graded anything nor ended the episode."""


def reward_function(reward: Reward) -> RewardFunction:
    """The function that a name stands for; a function stands for itself.

    Raises:
        ConfigError: neither a known name nor a function.
    """
    if reward == "improvement":
        return improvement
    if reward == "final":
        return final
    if callable(reward):
        return reward
    raise ConfigError(
        f"reward: found {reward!r}, expected 'improvement', 'final' "
        "or a function of a RewardContext"
    )
