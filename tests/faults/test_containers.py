"""Containers that somebody else removes, kills or pauses while an episode runs in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakage import (
    Harm,
    assert_grades,
    assert_recorded_as_void,
    assert_usable,
    assert_void,
    begin,
    container_of,
    impatient,
    play,
    soon,
)

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError

pytestmark = [
    pytest.mark.docker,
    pytest.mark.parametrize("backend", ["docker"]),
]


def by_daemon(act: Callable[[Any, str], None]) -> Harm:
    """Harm that the daemon does to a sandbox's container."""
    return lambda sandbox: act(sandbox._launcher._client.api, container_of(sandbox).id)


HARMS = {
    "removed": by_daemon(lambda api, name: api.remove_container(name, force=True)),
    "killed": by_daemon(lambda api, name: api.kill(name)),
    "stopped": by_daemon(lambda api, name: api.stop(name, timeout=0)),
    "paused": by_daemon(lambda api, name: api.pause(name)),
}
EACH = pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)


@EACH
def test_a_container_lost_between_steps_voids_the_episode(env: MLGymEnv, harm: Harm) -> None:
    begin(env)
    harm(env.sandbox)
    assert "lost" in assert_void(env, "ls", SandboxError)
    assert_usable(env)


@EACH
def test_a_container_lost_under_a_command_voids_the_episode(env: MLGymEnv, harm: Harm) -> None:
    begin(env)
    with soon(harm, lambda: env.sandbox):
        assert_void(env, "sleep 30", SandboxError)
    assert_usable(env)


@EACH
def test_a_grading_container_lost_between_gradings_is_replaced(env: MLGymEnv, harm: Harm) -> None:
    assert_grades(env)
    harm(env.laboratory._grader._referee)
    with impatient(1.0):
        assert env.step("validate")[4]["metrics"] == {"value": 5.0}


@EACH
def test_an_environment_whose_containers_are_lost_is_reset_and_closed(
    env: MLGymEnv, harm: Harm
) -> None:
    begin(env)
    harm(env.sandbox)
    with impatient():
        env.reset()
    assert_usable(env)
    harm(env.sandbox)


def test_a_run_whose_container_is_paused_is_recorded_as_the_infrastructure_s(
    quick_task: Path, tmp_path: Path, backend: str
) -> None:
    def at_the_second(env: MLGymEnv, number: int) -> None:
        if number == 1:
            HARMS["paused"](env.sandbox)

    played = play(quick_task, backend, tmp_path / "runs", ["true", "ls"], at_the_second)
    assert_recorded_as_void(played, "sandbox_error", 2)
