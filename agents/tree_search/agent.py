"""Searches over branches of an episode: another agent works on, validation says from where.

A branch begins at a point, a validated state, and ends at the next one: where the agent inside
validates or wants to submit, or after so many steps. The agent inside is copied with the state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import Environment, StrictUndefined

from mlgym import (
    ConfigError,
    Decision,
    ExitReason,
    InnerAgent,
    MakeAgent,
    Observation,
    TaskBrief,
    ToolSpec,
    Usage,
    cut,
)

# What ends the run whichever branch it comes from; after any other end the search goes on.
FINAL = (ExitReason.MODEL_ERROR, ExitReason.COST_LIMIT, ExitReason.TOKEN_LIMIT)


@dataclass(slots=True, eq=False)
class Point:
    """A state to branch from. Shown `seen`, a copy of `inside` goes on from here.

    `score` is higher where better, -inf where nothing valid was there to validate. `stale` counts
    the branches in a row that led here without a gain.
    """

    seen: Observation
    inside: InnerAgent
    score: float = -math.inf
    level: int = 0
    stale: int = 0
    tries: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(slots=True)
class Branch:
    """What is under way; `validating` where we, not the agent inside, have it validated."""

    source: Point
    inside: InnerAgent
    seen: Observation
    actions: list[str] = field(default_factory=list[str])
    goto: int | None = None
    validating: bool = False


class TreeSearch:
    """See `mlgym.Agent`. Settings are those of agent.yaml."""

    def __init__(
        self, make: MakeAgent, settings: Mapping[str, Any], prompts: Mapping[str, str]
    ) -> None:
        self.settings = settings
        if (found := settings["strategy"]) not in STRATEGIES:
            raise ConfigError(f"settings.strategy: found {found!r}, expected best_first or beam")
        for name in ("steps", "branches", "patience", "width"):
            if not isinstance(settings[name], int) or settings[name] < 1:
                raise ConfigError(f"settings.{name}: found {settings[name]!r}, expected 1 or more")
        self.fresh = make(settings["base"], settings["base_settings"])
        templates = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
        self.prompts = {key: templates.from_string(text) for key, text in prompts.items()}

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.brief = brief
        mine = self.fresh.tools or [tool.name for tool in tools]
        self.tools = [tool for tool in tools if tool.name in mine]
        self.points: list[Point] = []
        self.branch: Branch | None = None

    def act(self, observation: Observation) -> Decision:
        self.take(observation)
        spent, ending = Usage(), self.ending(observation)
        while branch := self.branch or (None if ending else self.next_branch(observation)):
            self.branch = branch
            if ending or len(branch.actions) >= self.settings["steps"]:
                if not branch.actions or observation.remaining_steps < 2:
                    break
                return self.validate(observation, branch, Decision("", usage=spent))
            decision = branch.inside.ask(branch.seen, spent)
            spent, action = decision.usage, decision.action.strip()
            if decision.finish in FINAL:
                return decision
            if decision.finish is None and action not in ("submit", "forfeit"):
                branch.actions.append(cut(action, 200))
                return self.step(observation, branch, decision)
            if branch.actions:
                branch.seen = replace(branch.seen, text=self.prompts["held"].render())
                return self.validate(observation, branch, decision)
            self.end(branch, str(decision.finish or action))
        return self.hand_in(observation, spent)

    def ending(self, seen: Observation) -> bool:
        """Whether there is no room for more than to validate what is under way and to hand in."""
        steps_left = seen.remaining_steps / self.brief.limits.steps
        low = seen.part_left < min(self.settings["hand_in_part"], steps_left)
        return seen.remaining_steps <= 2 or low

    def take(self, seen: Observation) -> None:
        """What the last decision came to: the first point, a step of a branch, or its end."""
        branch = self.branch
        if branch is None:
            self.points = [Point(seen, self.fresh)]
            return
        before, branch.seen = branch.seen.text.rstrip(), replace(seen, kept=())
        if branch.validating:
            # The agent inside does not know of this and waits for the result of its own action.
            branch.seen = replace(branch.seen, text=f"{before}\n\n{seen.text}")
        score, result, source = -math.inf, "no valid submission", branch.source
        if seen.metrics:
            value = seen.metrics[self.brief.metric]
            score = value if self.brief.goal == "maximize" else -value
            result = f"{self.brief.metric} {value:.6g}"
        if seen.metrics or branch.validating:
            stale = 0 if score > source.score else source.stale + 1
            self.points.append(Point(branch.seen, branch.inside, score, source.level + 1, stale))
            self.end(branch, result)

    def end(self, branch: Branch, result: str) -> None:
        branch.source.tries.append(("; ".join(branch.actions) or "nothing", result))
        self.branch = None

    def next_branch(self, now: Observation) -> Branch | None:
        """A branch from the most promising point, with a copy of the agent that was there."""
        most, choose = self.settings["branches"], STRATEGIES[self.settings["strategy"]]
        able = [p for p in self.points if p.seen.step in now.kept and len(p.tries) < most]
        if not able or (source := choose(self.points, able, self.settings)) is None:
            return None
        note = self.prompts["again"].render(tries=source.tries)
        if source is self.points[0]:
            # An agent takes the brief from here, and may never look at the first observation.
            brief = replace(self.brief, description=self.brief.description + note)
            source.inside.agent.reset(brief, self.tools)
        seen, inside = source.seen, source.inside.fork()
        shown = {"text": seen.text + note, "step": seen.step, "metrics": seen.metrics, "kept": ()}
        return Branch(source, inside, replace(now, **shown), goto=seen.step)

    def step(self, now: Observation, branch: Branch, decision: Decision) -> Decision:
        """That, in its branch. Only points are gone back to."""
        keep = any(point.seen.step == now.step for point in self.points)
        decision = replace(decision, goto=branch.goto, keep=keep)
        branch.goto = None
        return decision

    def validate(self, now: Observation, branch: Branch, decision: Decision) -> Decision:
        branch.validating = True
        return self.step(now, branch, replace(decision, action="validate", finish=None))

    def hand_in(self, now: Observation, spent: Usage) -> Decision:
        """The best point's state, else the present one."""
        best = max(self.points, key=lambda point: (point.score, point.seen.step))
        if best.score == -math.inf:
            return Decision("submit", "nothing valid was validated", spent)
        if best.seen.step not in now.kept:  # but its submission is: it is scored at the end
            return Decision("", "the best state is kept no more", spent, ExitReason.MAX_STEPS)
        return Decision("submit", "the best branch", spent, goto=best.seen.step, keep=False)


def best_first(
    points: Sequence[Point], able: Sequence[Point], settings: Mapping[str, Any]
) -> Point:
    """The best one; little tried ones count more."""
    patience = settings["patience"]
    ranked = sorted(able, key=lambda p: (p.score, p.stale < patience, p.seen.step))
    total = math.log(1 + sum(len(point.tries) for point in points))

    def worth(place: int) -> float:
        little_tried = math.sqrt(total / (1 + len(ranked[place].tries)))
        return place / len(ranked) + settings["exploration"] * little_tried

    return ranked[max(range(len(ranked)), key=worth)]


def beam(
    points: Sequence[Point], able: Sequence[Point], settings: Mapping[str, Any]
) -> Point | None:
    """The least tried of the best of the first level that is not done with."""
    for level in range(1 + max(point.level for point in points)):
        there = [point for point in points if point.level == level]
        there.sort(key=lambda point: (point.score, point.seen.step), reverse=True)
        best = [point for point in there[: settings["width"]] if point in able]
        if best:
            return min(best, key=lambda point: len(point.tries))
    return None


STRATEGIES = {"best_first": best_first, "beam": beam}
