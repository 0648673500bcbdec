"""Trajectories on disk: what is written is read back, after any crash, and can be run again."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.trajectory import TrajectoryWriter, read_trajectory, replay, to_line
from mlgym.types import ExitReason, Transition, Usage

FIELDS = [
    "step",
    "parent",
    "thought",
    "action",
    "observation",
    "reward",
    "terminated",
    "truncated",
    "tool",
    "exit_code",
    "metrics",
    "duration_s",
    "usage",
    "time",
]


def transition(step=0, **changed):
    known = {
        "step": step,
        "parent": step - 1 if step else None,
        "thought": "",
        "action": "ls" if step else None,
        "observation": "README.md\n",
        "reward": 0.0,
        "terminated": False,
        "truncated": False,
        "tool": "bash" if step else "reset",
    }
    return Transition(**{**known, **changed})


def write(path, *transitions):
    with TrajectoryWriter(path) as writer:
        for item in transitions:
            writer.write(item)


texts = st.text(st.characters(), max_size=50)  # lone surrogates too
numbers = st.floats()


@given(
    observation=texts,
    action=st.none() | texts,
    reward=numbers,
    metrics=st.none() | st.dictionaries(texts, numbers, max_size=3),
    usage=st.none() | st.builds(Usage, st.just(1), st.integers(0, 9), cost_usd=st.none()),
)
def test_every_transition_survives_the_disk(
    tmp_path_factory, observation, action, reward, metrics, usage
):
    path = tmp_path_factory.mktemp("t") / "trajectory.jsonl"
    written = transition(
        1, observation=observation, action=action, reward=reward, metrics=metrics, usage=usage
    )
    write(path, written)
    # json joins a high and a low surrogate that stand side by side; MLGym refuses both anyway.
    assert to_line(read_trajectory(path)[0]) == to_line(written)


def test_a_line_has_the_published_fields_in_order_and_is_strict_json():
    line = to_line(transition(1, reward=math.nan, metrics={"r2": -math.inf}))
    assert line.endswith("\n")
    assert line.count("\n") == 1

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(line, parse_constant=refuse)
    assert list(found) == FIELDS
    assert found["reward"] == "nan"


def test_each_line_is_on_disk_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "t.jsonl"
    with TrajectoryWriter(path) as writer:
        for step in range(3):
            writer.write(transition(step))
            assert len(read_trajectory(path)) == step + 1


def test_a_torn_last_line_is_left_out_and_told(tmp_path):
    path = tmp_path / "t.jsonl"
    write(path, transition(0), transition(1))
    whole = path.read_bytes()
    told = []
    for length in range(whole.index(b"\n") + 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert len(read_trajectory(path, told.append)) == 1
        assert told.pop() == f"{path}: line 2 is torn: left out"


def test_a_whole_last_line_without_its_newline_counts(tmp_path):
    path = tmp_path / "t.jsonl"
    write(path, transition(0), transition(1))
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_trajectory(path)) == 2


@pytest.mark.parametrize(
    ("garbage", "complaint"),
    [
        (b"\0\0\0", "line 2 is no transition"),
        (b"", "line 2 is no transition"),
        (b"[]", "line 2 is no transition"),
        (b'{"step": 1}', "it has no 'reward'"),
        (to_line(transition(1)).replace('"ls"', "5").strip().encode(), "action: found 5"),
        (to_line(transition(1, image="images/../run.json")).encode(), "image: found"),
        (to_line(transition(1, image=5)).encode(), "image: found 5"),
        (to_line(transition(1)).replace("0.0", '"x"', 1).strip().encode(), "'x'"),
        (b"\xff\xfe", "line 2 is no transition"),
        (b"[" * 100_000, "line 2 is no transition"),
    ],
)
def test_garbage_in_the_middle_is_refused_with_file_and_line(tmp_path, garbage, complaint):
    path = tmp_path / "t.jsonl"
    write(path, transition(0))
    path.write_bytes(path.read_bytes() + garbage + b"\n" + to_line(transition(2)).encode())
    with pytest.raises(ConfigError, match="jsonl") as caught:
        read_trajectory(path)
    assert complaint in str(caught.value)


def test_a_missing_file_is_the_caller_s_mistake(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_trajectory(tmp_path / "none.jsonl")


def test_writing_outside_of_with_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not open"):
        TrajectoryWriter(tmp_path / "t.jsonl").write(transition())


@pytest.fixture(scope="module")
def env():
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini")
    yield env
    env.close()


def play(env, *actions):
    env.reset(seed=3)
    played = [env.last_transition]
    for action in actions:
        if isinstance(action, ExitReason):
            env.finish(action)
        else:
            env.step(action)
        played.append(env.last_transition)
    return played


def differences(env, recorded, **options):
    return [item for _, found in replay(env, recorded, seed=3, **options) for item in found]


def test_a_reproducible_episode_replays_without_a_difference(env):
    actions = ["ls -la", "echo a > b; cat b", "validate", "cd /nowhere", "submit"]
    recorded = play(env, *actions)
    assert differences(env, recorded) == []
    assert env.score is not None


def test_replay_tells_what_differs_where(env):
    recorded = play(env, "echo $RANDOM$RANDOM$RANDOM; exit 3", "date +%s%N")
    found = differences(env, recorded)
    assert [(item.step, item.field) for item in found] == [(1, "observation"), (2, "observation")]


def test_replay_compares_scores_and_rewards(env):
    recorded = play(env, "validate", "submit")
    off = 0.5
    forged = [
        recorded[0],
        Transition(**{**fields(recorded[1]), "metrics": {"payoff": off}}),
        Transition(**{**fields(recorded[2]), "reward": 7.0}),
    ]
    found = differences(env, forged)
    assert [(item.step, item.field, item.recorded) for item in found] == [(1, "payoff", off)]
    found = differences(env, [*recorded[:2], forged[2]])
    assert [(item.step, item.field, item.recorded) for item in found] == [(2, "reward", 7.0)]


@pytest.mark.parametrize("ending", [None, ExitReason.COST_LIMIT])
def test_an_ending_from_outside_replays(env, ending):
    recorded = play(env, "validate", ExitReason.COST_LIMIT)
    assert differences(env, recorded, ending=ending) == []
    assert env.score.source == "best_validated"


def fields(item):
    return {name: getattr(item, name) for name in FIELDS}
