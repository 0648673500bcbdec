"""A run that no model played, told as if the agent `toolcaller` had played it.

The agent itself is asked, by a model that says what was done: prompts, notes and cuts are its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlgym.agent import Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.errors import ConfigError, TaskError
from mlgym.models.scripted import ScriptedModel, ScriptedReply
from mlgym.runs.store import RunFolder
from mlgym.task.spec import find_task
from mlgym.tools.base import ActionError
from mlgym.tools.registry import parse_action, tool_specs
from mlgym.types import BriefLimits, TaskBrief, Transition


def as_toolcaller(run: RunFolder) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries that its `model.jsonl` would hold, each with the place it stands for.

    Raises:
        ConfigError: the run cannot be read.
    """
    steps = run.transitions()
    brief = _brief(run.record(), steps)
    acted = [step for step in steps if step.action is not None]
    said: list[Mapping[str, Any]] = []
    model = ScriptedModel([_reply(step) for step in acted], "recorded", said.append)
    agent = make_agent(find_agent("toolcaller"), model=model)
    agent.reset(brief, tool_specs())
    seen = [steps[0], *acted[:-1]] if acted else []
    used_s, best = 0.0, None
    for step in seen:
        used_s += step.duration_s
        best = _better(brief, best, step.metrics)
        agent.act(_observation(step, brief, used_s, best))
        for entry in said:
            yield f"{run.path}: step {step.step}", entry
        said.clear()


def _reply(step: Transition) -> ScriptedReply:
    action = step.action or ""
    try:
        call = parse_action(action)
    except ActionError:
        # It was refused when it was sent, and has no other form.
        return ScriptedReply(text=step.thought, calls=(("bash", {"command": action}),))
    return ScriptedReply(text=step.thought, calls=((call.name, dict(call.arguments)),))


def _observation(
    step: Transition, brief: TaskBrief, used_s: float, best: Mapping[str, float] | None
) -> Observation:
    limits = brief.limits
    steps_left, left_s = max(0, limits.steps - step.step), max(0.0, limits.wall_s - used_s)
    return Observation(
        text=step.observation,
        step=step.step,
        remaining_steps=steps_left,
        remaining_s=left_s,
        cost_usd=None,
        metrics=step.metrics,
        reward=step.reward,
        part_left=min(steps_left / limits.steps, left_s / limits.wall_s),
        best_metrics=best,
    )


def _better(
    brief: TaskBrief, best: Mapping[str, float] | None, now: Mapping[str, float] | None
) -> Mapping[str, float] | None:
    if now is None or brief.metric not in now:
        return best
    if best is None or now[brief.metric] == best[brief.metric]:
        return now
    return now if (now[brief.metric] > best[brief.metric]) == (brief.goal == "maximize") else best


def _brief(record: Mapping[str, Any], steps: Sequence[Transition]) -> TaskBrief:
    """What the task said; where the task is gone, what is recorded of it."""
    most: int | None = record.get("config", {}).get("max_steps")
    try:
        task = find_task(record["config"]["task"])
        if record["profile"] in task.spec.profiles:
            return task.brief(record["profile"], most or task.spec.budget.steps)
    except (ConfigError, TaskError, KeyError, TypeError):
        pass
    score: Mapping[str, Any] = record.get("score") or {}
    baseline: Mapping[str, float] = record.get("baseline") or {}
    metric = str(score.get("primary", "score"))
    return TaskBrief(
        task=str(record.get("task")),
        title=str(record.get("task")),
        description=steps[0].observation if steps else "",
        metric=metric,
        goal="maximize",
        baseline=baseline.get(metric, math.nan),
        limits=BriefLimits(most or max(len(steps), 50), 14_400.0, 1_800.0),
    )
