"""Whatever the action, a step answers: never an exception, and the next command works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from actions import HEAVY, any_action
from fuzzing import ACTIONS, fuzz
from hypothesis import given, note
from hypothesis import strategies as st

from mlgym.env import MLGymEnv

BATCH = 50
KEYS: dict[str, type] = {
    "step": int,
    "remaining_steps": int,
    "tool": str,
    "exit_code": int,
    "metrics": dict,
    "best_metrics": dict,
    "score": float,
    "exit_reason": str,
}
TIGHTER = {
    "steps: 50, wall_s: 60, command_s: 20": "steps: 1000000, wall_s: 1000000, command_s: 0.3",
    "disk_gb: 1": "disk_gb: 0.1",
    "memory_gb: 2": "memory_gb: 1",
}
"""The task's budgets, so that no action takes long, and none of them ends an episode."""
ALWAYS = {"step", "remaining_steps", "tool"}


BACKENDS = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(scope="module", params=BACKENDS)
def env(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    lay_number_task: Callable[[Path], Path],
) -> Iterator[MLGymEnv]:
    """One warm environment for all actions: what one of them breaks, others shall find."""
    task = lay_number_task(tmp_path_factory.mktemp("fuzzed"))
    spec = task / "task.yaml"
    text = spec.read_text()
    for old, new in TIGHTER.items():
        assert old in text
        text = text.replace(old, new)
    spec.write_text(text)
    env = MLGymEnv(task, sandbox=request.param)
    env.reset()
    yield env
    env.close()


def check_info(info: dict[str, Any], over: bool) -> None:
    assert info.keys() <= KEYS.keys()
    assert info.keys() >= ALWAYS
    for key, value in info.items():
        assert type(value) is KEYS[key], (key, value)
    for name in ("metrics", "best_metrics"):
        for metric, value in info.get(name, {}).items():
            assert (type(metric), type(value)) == (str, float)
    assert ("exit_reason" in info) == over
    assert over or "score" not in info


def step(env: MLGymEnv, action: Any) -> tuple[str, bool]:
    """What a step gave, whose form is right, and whether it ended the episode."""
    before = env.step_count
    observation, reward, terminated, truncated, info = env.step(action)
    assert env.observation_space.contains(observation)
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert info["step"] == env.step_count == before + 1
    check_info(info, terminated or truncated)
    return observation, terminated or truncated


def check_answers(env: MLGymEnv) -> None:
    """`echo alive` is answered: as it is, or by a new shell where this one was told otherwise."""
    if "alive" in step(env, "echo alive")[0]:
        return
    for cure in ("\\exit", "/bin/kill -9 $$"):
        step(env, cure)
        if step(env, "echo alive")[0] == "alive\n":
            return
    env.reset()
    assert step(env, "echo alive")[0] == "alive\n"
    raise AssertionError("no shell answers until the next reset")


@fuzz(examples=ACTIONS // (2 * BATCH))
@given(actions=st.lists(any_action(), min_size=BATCH, max_size=BATCH, unique_by=repr))
def test_any_action_is_answered_and_the_next_command_works(
    env: MLGymEnv, actions: list[Any]
) -> None:
    env.reset()
    for action in actions:
        note(f"{action!r:.300}")
        _, over = step(env, action)
        if over:
            observation, info = env.reset()
            assert env.observation_space.contains(observation)
            check_info(info, over=False)
        check_answers(env)


@pytest.mark.parametrize("action", HEAVY)
def test_a_heavy_action_is_answered_and_the_next_command_works(env: MLGymEnv, action: str) -> None:
    env.reset()
    step(env, action)
    check_answers(env)
