"""The meta maze: what known policies return, what cheats gain, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from policies import outcomes, policy

from mlgym.task.spec import find_task

SPEC = find_task("meta_maze").spec
MINI = SPEC.profiles["mini"]
# What gains no more than a tenth of the way from the baseline to the target.
WORTHLESS = 0.9 * MINI.baseline["mean_return"] + 0.1 * MINI.target["mean_return"]

CASES = {
    "up": "return np.zeros(n, int), state",
    "random": "return np.random.randint(4, size=n), state",
    "small numbers": "return np.random.randint(4, size=n).astype(np.uint8), state",
    "a round": "k = state or 0; return np.full(n, (k // 8) % 4), k + 1",
    # The goals of other episodes say nothing about one's own.
    "where another one found it": (
        "found = observations[:, 13] > 0; "
        "move = int(observations[found, 9:13].argmax()) % 4 if found.any() else 1; "
        "return np.full(n, move), state"
    ),
}
REFUSED = {
    "a fifth action": ("x = np.zeros(n, int); x[8] = 4; return x, state", "for episode 9 it is 4"),
    "a negative one": ("return np.full(n, -1), state", "from 0 to 3; for episode 1 it is -1"),
    "NaN": ("return np.full(n, np.nan), state", "it is float64 of shape (2560,)"),
    "one for all": ("return 2, state", "it returned 2"),
    "too few": ("return np.zeros(n - 1, int), state", "it is int64 of shape (2559,)"),
    "logits": ("return np.zeros((n, 4)), state", "it is float64 of shape (2560, 4)"),
    "no pair": ("return np.zeros(n, int)", "act() must return a pair"),
    "a late one": (
        "return np.full(n, 9 if state == 3 else 0), (state or 0) + 1",
        "step 4: act() must return",
    ),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    bodies = CASES | {name: body for name, (body, _) in REFUSED.items()}
    return outcomes("meta_maze", {name: policy(body) for name, body in bodies.items()})


def test_known_policies_return_what_the_rules_give(found: dict[str, Any]) -> None:
    assert found["random"]["mean_return"] == pytest.approx(7.9, abs=1)
    assert found["small numbers"] == found["random"]


@pytest.mark.parametrize("name", CASES)
def test_without_a_memory_of_its_own_a_policy_gains_nothing(
    found: dict[str, Any], name: str
) -> None:
    assert found[name]["mean_return"] < WORTHLESS


@pytest.mark.parametrize("name", REFUSED)
def test_bad_actions_are_refused_with_their_place(found: dict[str, Any], name: str) -> None:
    assert REFUSED[name][1] in found[name]
