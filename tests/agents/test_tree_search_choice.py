"""Tree search asked by hand: from where it branches, when it hands in, what is seen inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgym.agent import Agent, Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.models.scripted import ScriptedModel
from mlgym.tools.registry import tool_specs
from mlgym.types import BriefLimits, ExitReason, TaskBrief

BRIEF = TaskBrief("toy", "Toy", "Do.", "loss", "minimize", 9.0, BriefLimits(99, 60.0, 5.0))
GREEDY = {"steps": 1, "patience": 1, "branches": 9, "exploration": 0}
INSIDE = """\
from mlgym import Decision

class Inside:
    heard = []

    def reset(self, brief, tools):
        self.heard.append((brief.description, [tool.name for tool in tools]))

    def act(self, observation):
        self.heard.append(observation)
        return Decision("submit" if "enough" in observation.text else "true")
"""


class World:
    """Shows the search what its steps came to, every one of their states kept."""

    def __init__(self, folder: Path, **settings):
        (folder / "inside.py").write_text(INSIDE)
        spec = "name: inside\nclass: inside.py:Inside\ntools: [bash]\n"
        (folder / "agent.yaml").write_text(spec)
        given = {"base": str(folder), **GREEDY, **settings}
        self.agent: Agent = make_agent(
            find_agent("tree_search"), model=ScriptedModel([]), settings=given
        )
        self.agent.reset(BRIEF, tool_specs())
        self.heard = self.agent.fresh.agent.heard
        self.step = -1

    def act(self, value: float | None = None, **fields):
        """Its decision after a step, which was graded to `value` if there is one."""
        self.step += 1
        metrics = None if value is None else {"loss": value}
        given = {"remaining_steps": 99 - self.step, "remaining_s": 60.0, "cost_usd": 0.0}
        given |= {"kept": tuple(range(self.step + 1)), "text": f"seen {self.step}", **fields}
        return self.agent.act(Observation(step=self.step, metrics=metrics, reward=0.0, **given))


@pytest.fixture
def world(tmp_path: Path):
    return lambda **settings: World(tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "losses", "sources"),
    [
        # Points are made at steps 2, 4, 6, ...; the lower the loss the better.
        ({}, [5, 6, 6, 4, 7], [0, 2, 2, 2, 8]),
        ({}, [5, 5, 6, 4], [0, 2, 2, 2]),
        ({"patience": 2}, [5, 5, 6, 4], [0, 2, 4, 4]),
        ({"branches": 1}, [5, 6, 7, 4], [0, 2, 4, 6]),
        ({"branches": 2}, [5, 6, 6, 7], [0, 2, 2, 6]),
        ({"exploration": 5}, [5, 6, 6, 7], [0, 2, 4, 6]),
        ({"strategy": "beam", "width": 1, "branches": 2}, [6, 5, 7, 8, 9], [0, 0, 4, 4, 6]),
        (
            {"strategy": "beam", "width": 2, "branches": 2},
            [8, 5, 7, 2, 4, 3, 9],
            [0, 0, 4, 2, 4, 2, 8],
        ),
    ],
)
def test_branches_begin_where_the_strategy_says(world, settings, losses, sources):
    made = world(**settings)
    decision, began = made.act(), []
    for loss in losses:
        began.append(decision.goto)
        check = made.act()
        assert (check.action, check.goto, check.keep) == ("validate", None, False)
        decision = made.act(loss)
        assert decision.keep
    assert began == sources


@pytest.mark.parametrize("strategy", ["best_first", "beam"])
def test_where_nowhere_is_left_to_branch_from_the_best_is_handed_in(world, strategy):
    made = world(strategy=strategy, branches=1)
    made.act()
    made.act()
    decision = made.act(5.0, text="enough")
    assert (decision.action, decision.goto) == ("submit", 2)


@pytest.mark.parametrize("low", [{"part_left": 0.01}, {"remaining_steps": 2}])
def test_near_the_end_what_is_under_way_is_validated_and_the_best_handed_in(world, low):
    made = world(steps=5, hand_in_part=0.05)
    for loss in (None, 4.0, None):
        assert made.act(loss).action == "true"
    assert made.act(**low).action == "validate"
    low = {**low, "remaining_steps": 1}
    decision = made.act(6.0, **low)
    assert (decision.action, decision.goto, decision.keep) == ("submit", 1, False)


def test_few_steps_are_no_reason_to_stop_before_the_last_two(world):
    made = world(hand_in_part=0.5)
    assert made.act(remaining_steps=3, part_left=3 / 99).action == "true"


def test_a_best_state_that_is_kept_no_more_is_left_to_the_rule_of_the_environment(world):
    made = world()
    made.act()
    made.act()
    assert made.act(4.0, remaining_steps=2, kept=(1,)).finish is ExitReason.MAX_STEPS


def test_the_agent_inside_has_its_own_tools_and_is_told_what_was_tried_from_a_point(world):
    made = world(branches=2)
    made.act()
    made.act()
    assert made.heard[0] == ("Do.", ["bash"])
    # From the start again, as what came of it was no submission.
    made.act(None)
    brief, _ = made.heard[2]
    assert brief.startswith("Do.\n\n[Work was brought back to this point.")
    assert "1. true\n   -> no valid submission\n" in brief
    assert made.heard[1].kept == ()
    made.act()
    made.act(4.0)
    assert made.heard[-1].text == "seen 3\n\nseen 4"
