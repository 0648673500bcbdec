"""A branching agent goes back to earlier states: budgets, scores, records and replay follow."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlgym.agent import Decision
from mlgym.agent_loader import find_agent, make_agent
from mlgym.branches import Branches
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError
from mlgym.rollout import RolloutLimits, rollout
from mlgym.trajectory import replay
from mlgym.types import ExitReason, Transition, Usage


class Script:
    """An agent that gives its decisions in turn."""

    def __init__(self, *decisions):
        self.decisions = list(decisions)
        self.seen = []

    def reset(self, brief, tools):
        pass

    def act(self, observation):
        self.seen.append(observation)
        decision = self.decisions.pop(0)
        return Decision(decision) if isinstance(decision, str) else decision


@pytest.fixture(scope="module")
def env(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> Iterator[MLGymEnv]:
    task = lay_number_task(tmp_path_factory.mktemp("branching"))
    with MLGymEnv(task, sandbox="bubblewrap", max_steps=9) as env:
        yield env


def play(env, *decisions, **options):
    kept: list[Transition] = []
    agent = Script(*decisions)
    options = {"branching": True, **options}
    outcome = rollout(env, agent, seed=0, on_transition=kept.append, **options)
    return outcome, kept, agent


def answer(number: int, goto: int | None = None) -> Decision:
    return Decision(f"echo {number} > answer.txt", goto=goto)


def test_an_agent_goes_back_and_the_record_tells_from_where_each_step_went(env):
    outcome, kept, agent = play(
        env,
        "cd data; A=1; echo one > /workspace/f",
        "cd /; A=2; echo two > /workspace/f",
        Decision("pwd; echo $A; cat /workspace/f", goto=1),
        Decision("cat /workspace/f", goto=2),
        Decision("ls", goto=0),
        "forfeit",
    )
    assert kept[3].observation == "/workspace/data\n1\none\n"
    assert kept[4].observation == "two\n"
    assert kept[5].observation == "README.md\ndata\n"
    assert [line.step for line in kept] == [0, 1, 2, 3, 4, 5, 6]
    assert [line.parent for line in kept] == [None, 0, 1, 1, 2, 0, 5]
    assert outcome.steps == 6
    assert [seen.kept for seen in agent.seen[:4]] == [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)]
    assert [seen.step for seen in agent.seen] == [0, 1, 2, 3, 4, 5]


def test_budgets_count_over_all_branches(env):
    spent = Usage(1, 100, 0, 0, 0.25)
    steps = [Decision("sleep 0.1", goto=0, usage=spent)] * 9
    outcome, _, agent = play(env, *steps)
    assert (outcome.exit_reason, outcome.steps, outcome.usage.calls) == ("max_steps", 9, 9)
    assert agent.seen[-1].remaining_steps == 1
    assert agent.seen[-1].remaining_s < agent.seen[0].remaining_s - 0.8
    outcome, *_ = play(env, *steps, limits=RolloutLimits(cost_usd=0.5))
    assert (outcome.exit_reason, outcome.steps) == ("cost_limit", 2)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ([Decision("true", goto=0)] * 9, "max_steps"),
        ([Decision("", finish=ExitReason.FORMAT_ERRORS, goto=0)], "format_errors"),
    ],
)
def test_an_ending_by_a_budget_scores_the_best_validation_of_any_branch(env, ending, reason):
    outcome, *_ = play(
        env, answer(4), "validate", answer(8, 0), "validate", answer(2, 0), "validate", *ending
    )
    assert outcome.exit_reason == reason
    assert outcome.best_validation.metrics == {"value": 8.0}
    assert outcome.score.metrics == {"value": 7.0}
    assert outcome.score.source == "best_validated"
    assert outcome.total_reward == pytest.approx(0.7)


def test_a_restored_branch_is_paid_only_for_what_is_better_than_all_branches(env):
    outcome, kept, _ = play(
        env,
        answer(4),
        "validate",
        answer(8, 1),
        "validate",
        answer(6, 0),
        "validate",
        answer(9, 2),
        "validate",
        Decision("submit", goto=4),
    )
    paid = [line.reward for line in kept if line.tool == "validate"]
    assert paid == pytest.approx([0.4, 0.4, 0.0, 0.1])
    assert "best validation value so far: 8" in kept[6].observation
    # What is handed in is what stands in the branch, and no ending is taken back.
    assert (outcome.score.metrics, outcome.score.source) == ({"value": 7.0}, "submitted")
    assert outcome.total_reward == pytest.approx(0.7)
    assert sum(line.reward for line in kept) == pytest.approx(0.7)


def test_replay_follows_the_branches(env):
    _, kept, _ = play(
        env,
        answer(4),
        "validate",
        answer(8, 0),
        "validate",
        Decision("cat answer.txt; echo x > x", goto=2),
        Decision("cat answer.txt; ls", goto=2),
        Decision("cat answer.txt; ls", goto=4),
        "submit",
    )
    assert [line.observation for line in kept[5:8]] == [
        "4\n",
        "4\nREADME.md\nanswer.txt\ndata\n",
        "8\nREADME.md\nanswer.txt\ndata\n",
    ]
    again = list(replay(env, kept, seed=0))
    assert len(again) == len(kept)
    assert [found for _, found in again if found] == []
    assert [line.parent for line, _ in again] == [line.parent for line in kept]
    assert env.score is not None
    assert env.score.metrics == {"value": 7.0}


def test_a_record_whose_parent_never_was_is_refused(env):
    _, kept, _ = play(env, "true", "true", "forfeit")
    broken = [*kept[:3], replace(kept[3], parent=7)]
    with pytest.raises(ConfigError, match="step 3: parent: found 7, which is no step before"):
        list(replay(env, broken, seed=0))


@pytest.mark.parametrize(
    ("goto", "branching", "told"),
    [
        (0, False, "takes `branching: true`"),
        (7, True, "not among the steps that are kept: 0, 1, 2"),
        (-1, True, "not among the steps that are kept"),
        ("1", True, "back to step '1'"),
    ],
)
def test_going_where_no_state_is_kept_is_a_mistake_in_the_agent_s_code(env, goto, branching, told):
    outcome, kept, _ = play(
        env, answer(5), "validate", Decision("true", goto=goto), branching=branching
    )
    assert (outcome.status, outcome.exit_reason) == ("scored", "agent_error")
    assert (outcome.score.source, outcome.steps, len(kept)) == ("best_validated", 2, 4)
    assert told in outcome.error


def test_an_agent_that_does_not_branch_is_told_of_no_steps_and_nothing_is_kept(env, monkeypatch):
    monkeypatch.setattr(MLGymEnv, "snapshot", lambda _: pytest.fail("a snapshot was taken"))
    _, _, agent = play(env, "true", "forfeit", branching=False)
    assert [seen.kept for seen in agent.seen] == [(), ()]


def test_only_states_that_may_be_wanted_again_are_kept(env):
    unwanted = Decision("true", keep=False)
    _, _, agent = play(env, "true", unwanted, unwanted, "true", "forfeit")
    assert agent.seen[-1].kept == (0, 3, 4)


def test_beyond_the_bound_goes_the_state_that_was_not_used_for_the_longest_time(env):
    env.reset(seed=0)
    told: list[str] = []
    branches = Branches(env, told.append)
    for _ in range(3):
        branches.leave(None, keep=True)
        env.step("true")
    branches.leave(0, keep=True)
    size = sum(snapshot.size for snapshot in branches._held.values())
    branches._most_bytes = size - 1
    env.step("head -c 1000 /dev/zero > more")
    branches.leave(None, keep=True)
    assert branches.kept == (0, 3, 4)
    assert told == [
        f"the state after step {step} is kept no longer: there are newer ones" for step in (1, 2)
    ]
    branches.close()
    branches.close()
    assert branches.kept == (4,)


def test_a_host_without_room_loses_the_state_and_not_the_episode(env, monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    told: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("mlgym.snapshot.tempfile.SpooledTemporaryFile", lambda _: Full())
        outcome, kept, agent = play(env, "echo hi", "echo there", "forfeit", log=told.append)
    assert [line.observation for line in kept[1:3]] == ["hi\n", "there\n"]
    assert agent.seen[-1].kept == (2,)
    assert "step 0 cannot be gone back to" in told[0]
    assert outcome.exit_reason == "forfeited"


def test_a_sandbox_that_is_lost_on_the_way_back_voids_the_episode_and_names_the_step(
    env, monkeypatch
):
    def lose(self, snapshot, keep_budget=False):
        with self.episode.voided_by_failures():
            raise SandboxError("lost")

    monkeypatch.setattr(MLGymEnv, "restore", lose)
    outcome, kept, _ = play(env, "true", "true", Decision("boom", goto=1))
    assert (outcome.status, outcome.exit_reason) == ("infrastructure_failure", "sandbox_error")
    last = kept[-1]
    assert (last.step, last.parent, last.action, last.tool) == (3, 1, "boom", "lost")


def test_the_agent_of_the_how_to_keeps_what_was_best(env, root, tmp_path):
    page = (root / "docs" / "how-to" / "tree-search.md").read_text(encoding="utf-8")
    for title, body in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', page, re.M | re.S):
        (tmp_path / title).write_text(body)
    found = find_agent(str(tmp_path))
    tries = [f"echo $(( $(cat answer.txt || echo 0) + {by} )) > answer.txt" for by in (4, -3, 2)]
    agent = make_agent(found, settings={"commands": tries})
    outcome = rollout(env, agent, seed=0, branching=found.spec.branching)
    assert (outcome.exit_reason, outcome.steps) == ("submitted", 7)
    assert outcome.score.metrics == {"value": 5.0}
