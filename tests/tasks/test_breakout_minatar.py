"""Breakout: what known policies return, that a list of moves gains nothing, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from policies import POLICY, grade, grader_of, outcomes, policy

from mlgym.task.spec import find_task

SPEC = find_task("breakout_minatar").spec
MINI = SPEC.profiles["mini"]
# What gains no more than a tenth of the way from the baseline to the target.
WORTHLESS = 0.9 * MINI.baseline["mean_return"] + 0.1 * MINI.target["mean_return"]

# Goes to where the ball will come down, by its direction and the walls.
TRACK = """\
import numpy as np

def track(observations):
    cells = observations.reshape(len(observations), 100, 4)
    paddle = cells[:, 90:, 0].argmax(axis=1)
    y, x = np.divmod(cells[:, :, 1].argmax(axis=1), 10)
    last_y, last_x = np.divmod(cells[:, :, 2].argmax(axis=1), 10)
    lands = x + np.sign(x - last_x) * (9 - y)
    lands = np.where(lands < 0, -1 - lands, np.where(lands > 9, 19 - lands, lands))
    wanted = np.where(y > last_y, lands, x)
    return np.where(paddle > wanted, 1, np.where(paddle < wanted, 2, 0))

"""
# Plays the environment beforehand, once from each side, and writes down what it did.
LISTED = """\

def rehearse(side):
    import gymnax, jax
    env, params = gymnax.make("Breakout-MinAtar")
    step = jax.jit(env.step_env)
    key = jax.random.key(0)
    _, state = env.reset(key)
    x, direction = (0, 2) if side == 0 else (9, 3)
    state = state.replace(ball_x=jax.numpy.array(x), last_x=jax.numpy.array(x),
                          ball_dir=jax.numpy.array(direction))
    moves, done = [], False
    while not done:
        moves.append(int(track(np.asarray(env.get_obs(state))[None])[0]))
        _, state, _, done, _ = step(key, state, moves[-1], params)
    return moves + [0] * 1000

def load(folder):
    policy = Policy()
    policy.moves = np.array([rehearse(0)[:1000], rehearse(1)[:1000]])
    return policy
"""
FOLLOW = (
    "number, side = state or (0, (observations[:, 3, 9, 1] == 1).astype(int)); "
    "return self.moves[side, number], (number + 1, side)"
)
CASES = {
    "stay": "return np.zeros(n, int), state",
    "random": "return np.random.randint(3, size=n), state",
    "small numbers": "return np.random.randint(3, size=n).astype(np.int8), state",
}
REFUSED = {
    "a fourth action": ("x = np.zeros(n, int); x[8] = 3; return x, state", "for episode 9 it is 3"),
    "a negative one": ("return np.full(n, -1), state", "from 0 to 2; for episode 1 it is -1"),
    "a huge one": ("return np.full(n, 2**40), state", "it is 1099511627776"),
    "fractions": ("return np.zeros(n), state", "it is float64 of shape (640,)"),
    "NaN": ("return np.full(n, np.nan), state", "it is float64 of shape (640,)"),
    "truth values": ("return np.ones(n, bool), state", "it is bool of shape (640,)"),
    "a column": ("return np.zeros((n, 1), int), state", "it is int64 of shape (640, 1)"),
    "logits": ("return np.zeros((n, 3)), state", "it is float64 of shape (640, 3)"),
    "a list": ("return [0] * n, state", "it returned [0, 0, 0"),
    "a late one": (
        "return np.full(n, 9 if state == 3 else 0), (state or 0) + 1",
        "step 4: act() must return",
    ),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    bodies = CASES | {name: body for name, (body, _) in REFUSED.items()}
    cases = {name: policy(body) for name, body in bodies.items()}
    program = TRACK + POLICY.format(body="return track(observations), state")
    cases["track"] = {"policy.py": program, "weights/none.txt": ""}
    cases["a list of moves"] = {
        "policy.py": TRACK + POLICY.format(body=FOLLOW) + LISTED,
        "weights/none.txt": "",
    }
    return outcomes("breakout_minatar", cases)


def test_known_policies_return_what_the_rules_give(found: dict[str, Any]) -> None:
    assert found["stay"]["mean_return"] < 1
    assert found["random"]["mean_return"] == pytest.approx(0.4, abs=0.2)
    assert found["small numbers"] == found["random"]
    assert found["track"]["mean_return"] > MINI.baseline["mean_return"]
    assert all(each["mean_return"] == each["sticky_return"] for each in map(found.get, CASES))


def test_a_list_of_moves_scores_only_where_actions_do_not_stick(found: dict[str, Any]) -> None:
    listed = found["a list of moves"]
    assert listed["plain_return"] > found["track"]["plain_return"] - 1e-9
    assert listed["plain_return"] > 2 * WORTHLESS
    assert listed["mean_return"] < WORTHLESS


@pytest.mark.parametrize("name", REFUSED)
def test_bad_actions_are_refused_with_their_place(found: dict[str, Any], name: str) -> None:
    assert REFUSED[name][1] in found[name]


def test_only_full_counts_the_plain_episodes() -> None:
    stay = policy(CASES["stay"])
    with grader_of("breakout_minatar", "full") as grader:
        full = grade(grader, stay)
    assert full["mean_return"] == full["plain_return"]
