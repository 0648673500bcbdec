"""Mountain car: what known policies return, what cheats gain, and how bad actions are refused."""

from __future__ import annotations

from typing import Any

import pytest
from policies import grade, grader_of, outcomes, policy

from mlgym.task.spec import find_task

SPEC = find_task("mountain_car").spec
PUSH = "return 0.4 * np.sign(observations[:, 1:]), state"

CASES = {
    "nothing": "return np.zeros((n, 1)), state",
    "random": "return np.random.uniform(-1, 1, (n, 1)), state",
    "along": PUSH,
    "along, in whole numbers": "return np.sign(observations[:, 1:]).astype(int), state",
    "along, far too hard": "return 1e30 * np.sign(observations[:, 1:]), state",
    # Once it is there it goes on in the next episodes: only the first one counts.
    "along, then for ever": "return np.where(observations[:, 1:] >= 0, 1.0, -1.0), state",
    "late": "return (0.0 if (state or 0) < 900 else 0.4) * np.sign(observations[:, 1:]), "
    "(state or 0) + 1",
}
REFUSED = {
    "NaN": ("x = np.zeros((n, 1)); x[6] = np.nan; return x, state", "for episode 7 it is nan"),
    "infinite": ("return np.full((n, 1), np.inf), state", "for episode 1 it is inf"),
    "flat": ("return np.zeros(n), state", "its shape is (320,)"),
    "too few": ("return np.zeros((n - 1, 1)), state", "its shape is (319, 1)"),
    "one for all": ("return 0.0, state", "it returned 0.0"),
    "a list": ("return [[0.0]] * n, state", "it returned [[0.0]"),
    "truth values": ("return np.ones((n, 1), bool), state", "it returned array([[ True]"),
    "objects": ("return np.full((n, 1), None), state", "an array of object cannot be sent"),
    "no pair": ("return np.zeros((n, 1))", "act() must return a pair"),
    "a late NaN": (
        "return np.full((n, 1), np.nan if state == 4 else 0), (state or 0) + 1",
        "step 5: act()",
    ),
    "a crash": ("return observations[n], state", "IndexError"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    bodies = CASES | {name: body for name, (body, _) in REFUSED.items()}
    cases = {name: policy(body) for name, body in bodies.items()}
    cases["no load()"] = {"policy.py": "x = 1", "weights/none.txt": ""}
    cases["loads nothing"] = {"policy.py": "def load(folder): pass", "weights/none.txt": ""}
    return outcomes("mountain_car", cases)


def test_known_policies_return_what_the_rules_give(found: dict[str, Any]) -> None:
    assert found["nothing"] == {"mean_return": 0.0}
    assert found["random"]["mean_return"] < -20
    assert found["along"]["mean_return"] == pytest.approx(96.7, abs=0.6)
    whole = found["along, in whole numbers"]["mean_return"]
    assert 85 < whole < 93


def test_a_push_out_of_range_costs_as_much_as_it_moves(found: dict[str, Any]) -> None:
    assert found["along, far too hard"] == found["along, in whole numbers"]


def test_only_the_first_episode_counts(found: dict[str, Any]) -> None:
    assert found["along, then for ever"]["mean_return"] < 95
    assert found["late"]["mean_return"] < 0.1 * SPEC.profiles["mini"].baseline["mean_return"]


@pytest.mark.parametrize("name", REFUSED)
def test_bad_actions_are_refused_with_their_place(found: dict[str, Any], name: str) -> None:
    assert REFUSED[name][1] in found[name]


def test_a_submission_without_a_policy_is_told_so(found: dict[str, Any]) -> None:
    assert "has no function load()" in found["no load()"]
    assert "None, has no function act()" in found["loads nothing"]


PEEK = """\
import gc, os

places = ["/grader", "/answers", "/proc/1/environ", "/proc/1/root/answers"]
seen = [place for place in places if os.access(place, os.R_OK)]
seen += [type(x).__name__ for x in gc.get_objects() if type(x).__name__ == "EnvState"]
if seen:
    raise RuntimeError(f"there is {seen}")
"""


def test_a_policy_sees_observations_and_nothing_else() -> None:
    files = policy(PUSH)
    files["policy.py"] = PEEK + files["policy.py"]
    with grader_of("mountain_car") as grader:
        test, validation = (grade(grader, files, split) for split in ("test", "validation"))
    assert test["mean_return"] == pytest.approx(96.7, abs=0.6)
    assert test["mean_return"] == pytest.approx(validation["mean_return"], abs=0.6)
    assert test != validation
