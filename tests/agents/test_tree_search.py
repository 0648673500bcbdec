"""Tree search in real episodes: what it goes back to, what it hands in, how it is played again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgym.agent import Decision, Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, ModelError
from mlgym.models.scripted import ScriptedModel
from mlgym.rollout import RolloutLimits, rollout
from mlgym.runs.single import check, make_env, run_episode
from mlgym.trajectory import replay
from mlgym.types import ExitReason, Usage

# Each move builds on what is there; some of them make it worse.
MOVES = ["+3", "-5", "+4"]
STEPS = 7
KNOBS = {"steps": 1, "patience": 1, "branches": 9, "exploration": 0}


def move(by: str) -> str:
    return f"echo $(($(cat answer.txt 2>/dev/null || echo 0)+({by}))) > answer.txt"


class Mover:
    """An agent without a model: all its copies take from one list of actions and decisions."""

    def __init__(self, settings):
        self.left = iter(settings["script"])
        self.seen = settings.get("seen", [])

    def reset(self, brief, tools):
        self.seen.append((brief.description, [tool.name for tool in tools]))

    def fork(self):
        return self

    def act(self, observation):
        self.seen.append(observation)
        decision = next(self.left)
        if isinstance(decision, BaseException):
            raise decision
        return Decision(decision) if isinstance(decision, str) else decision


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]) -> Path:
    return lay_number_task(tmp_path_factory.mktemp("search"))


@pytest.fixture(scope="module")
def env(task):
    with MLGymEnv(task, sandbox="bubblewrap", max_steps=11) as env:
        yield env


def search(env, script, limits=None, **settings):
    """An episode of the search with that script inside: its outcome, its lines, what was seen."""
    seen = []
    base = {"base": f"{__name__}:Mover", "base_settings": {"script": script, "seen": seen}}
    given = {**base, **settings}
    agent = make_agent(find_agent("tree_search"), model=ScriptedModel([]), settings=given)
    lines = []
    outcome = rollout(env, agent, seed=0, on_transition=lines.append, limits=limits, branching=True)
    return outcome, lines, seen


def shown(seen):
    return [each for each in seen if isinstance(each, Observation)]


@pytest.fixture(scope="module")
def played(task, tmp_path_factory):
    """The same scripted proposer alone, and twice inside the search, with the same steps."""
    out = tmp_path_factory.mktemp("runs")
    script = out / "script.jsonl"
    replies = [text for by in MOVES for text in (move(by), "validate")]
    blocks = [f"Perhaps this.\n```\n{text}\n```" for text in [*replies, "true"]]
    script.write_text("".join(json.dumps(text) + "\n" for text in blocks))

    def play(agent, **options):
        fields = {"task": str(task), "sandbox": "bubblewrap", "out": out, "max_steps": STEPS}
        config = RunConfig.make(agent=agent, **fields, **options)
        found = check(config)
        return config, *run_episode(config, found, make_env(config, found))

    scripted = {"model": f"scripted:{script}"}
    knobs = {"base": "react", **KNOBS, "steps": 2}
    runs = [play("react", **scripted)]
    runs += [play("tree_search", settings=knobs, **scripted) for _ in range(2)]
    runs += [play("replay", settings={"file": str(runs[1][1].path)})]
    return runs


def test_a_proposer_that_gets_worse_alone_gets_far_in_a_search_of_as_many_steps(played):
    (_, _, alone, _), (_, _, searched, _) = played[:2]
    assert (alone["steps"], searched["steps"]) == (STEPS, STEPS)
    assert (alone["exit_reason"], searched["exit_reason"]) == ("max_steps", "submitted")
    assert alone["score"]["normalized"] == pytest.approx(0.2)  # 3, and 1 less on test
    assert searched["score"]["normalized"] == pytest.approx(0.6)  # 3 + 4
    assert searched["total_reward"] == pytest.approx(0.6)


def test_the_record_tells_the_branch_of_every_step(played):
    lines = played[1][1].transitions()
    assert [line.parent for line in lines] == [None, 0, 1, 2, 3, 2, 5, 6]
    metrics = [line.metrics["value"] for line in lines if line.tool == "validate"]
    assert metrics == [3, -2, 7]
    assert lines[5].thought == "Perhaps this."


def test_its_replay_gives_the_same_observations_and_scores(played):
    config, folder, record, _ = played[1]
    with make_env(config, find_agent(config.agent)) as env:
        again = list(replay(env, folder.transitions(), config.seed))
        assert [found for _, found in again if found] == []
        assert len(again) == STEPS + 1
        assert env.score is not None
        assert env.score.to_json() == record["score"]


def timeless(folder):
    lines = [json.loads(line) for line in (folder.path / "trajectory.jsonl").open()]
    return [json.dumps({**line, "time": 0, "duration_s": 0}) for line in lines]


def test_the_same_script_gives_the_same_bytes_but_for_times(played):
    assert timeless(played[1][1]) == timeless(played[2][1])


def test_the_agent_that_repeats_a_run_follows_its_branches(played):
    searched, repeated = played[1], played[3]
    assert repeated[2]["score"] == searched[2]["score"]
    usage = {"usage": None}
    first, second = (
        [json.dumps({**json.loads(line), **usage}) for line in timeless(run[1])]
        for run in (searched, repeated)
    )
    assert first == second


def test_the_model_sees_the_conversation_of_its_branch_and_what_was_tried_before(played):
    log = [json.loads(line) for line in (played[1][1].path / "model.jsonl").open()]
    said = json.dumps(log)
    assert "What was tried from here before, and is undone:" in said
    assert "-> value -2" in said


def test_a_beam_goes_on_from_the_best_of_each_level(env):
    script = [move("+1"), move("+4"), move("-2"), move("+3"), "true"]
    knobs = {**KNOBS, "strategy": "beam", "width": 1, "branches": 2}
    outcome, lines, _ = search(env, script, **knobs)
    metrics = [line.metrics["value"] for line in lines if line.tool == "validate"]
    # Two from the start, two from the better one, one from the better of those.
    assert metrics == [1, 4, 2, 7, 7]
    assert [line.parent for line in lines if line.tool == "bash"] == [0, 0, 4, 4, 8]
    assert outcome.score.metrics == {"value": 6.0}


def test_work_is_not_handed_in_before_the_budget_is_used_and_then_the_best_is(env):
    moves = [text for by in ("+5", "-9", "+2") for text in (move(by), "submit")]
    outcome, lines, seen = search(
        env, moves + ["submit"] * 9, **{**KNOBS, "branches": 3, "steps": 5}
    )
    assert [line.tool for line in lines[1:]] == ["bash", "validate"] * 3 + ["submit"]
    assert (outcome.exit_reason, outcome.score.metrics) == ("submitted", {"value": 6.0})
    held = [each for each in shown(seen) if each.text.startswith("Not handed in yet")]
    assert "value: 5" in held[0].text


def test_a_branch_given_up_or_lost_is_not_the_end(env):
    lost = Decision("", finish=ExitReason.FORMAT_ERRORS, usage=Usage(5, 10, 0, 5, 0.5))
    script = [lost, "forfeit", move("+5"), "forfeit", lost, "submit", "forfeit"]
    knobs = {**KNOBS, "steps": 3, "branches": 3}
    outcome, lines, _ = search(env, script, **knobs)
    # The state after the forfeit was validated; then every point has had its branches.
    assert [line.tool for line in lines[1:]] == ["bash", "validate", "submit"]
    assert (outcome.exit_reason, outcome.score.metrics) == ("submitted", {"value": 4.0})
    assert outcome.usage == Usage(10, 20, 0, 10, 1.0)


def test_without_a_valid_submission_the_last_state_is_handed_in(env):
    outcome, lines, _ = search(env, ["true"] * 9, **KNOBS)
    assert lines[-1].action == "submit"
    assert outcome.status == "unscored"


def test_an_ending_by_a_limit_scores_the_best_branch(env):
    paid = [Decision(move(by), usage=Usage(1, 100, 0, 0, 0.1)) for by in ("+4", "-3", "+1", "+1")]
    outcome, lines, seen = search(env, paid, RolloutLimits(tokens=300), **KNOBS)
    # What is left is too little to go on with: what is under way is validated.
    assert [each.remaining_tokens for each in shown(seen)] == [300, 200, 100]
    assert (outcome.exit_reason, outcome.score.source) == ("token_limit", "best_validated")
    assert outcome.score.metrics == {"value": 3.0}
    assert lines[-1].action is None


@pytest.mark.parametrize("before", [[], ["forfeit"]])
def test_a_model_that_fails_for_good_voids_the_episode_with_what_it_has_cost(env, before):
    usage = Usage(1, 100, 0, 0, 0.1)
    ends = [Decision("forfeit", usage=usage) for _ in before]
    outcome, *_ = search(env, [move("+1"), *ends, ModelError("401")], **KNOBS)
    assert (outcome.status, outcome.exit_reason) == ("infrastructure_failure", "model_error")
    assert outcome.usage.calls == len(before)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"strategy": "depth"}, "found 'depth', expected best_first or beam"),
        ({"branches": 0}, "settings.branches: found 0, expected 1 or more"),
        ({"base": "tree_search"}, "branches by itself"),
        ({"base": "nobody"}, "unknown agent 'nobody'"),
    ],
)
def test_knobs_that_cannot_work_are_refused_before_anything_starts(settings, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_agent(find_agent("tree_search"), model=ScriptedModel([]), settings=settings)


def test_the_agent_inside_needs_its_model():
    with pytest.raises(ConfigError, match="'tree_search' needs a model"):
        make_agent(find_agent("tree_search"))
