"""A Docker daemon that is stopped, killed and started again while episodes run on it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from breakage import (
    assert_grades,
    assert_recorded_as_void,
    assert_usable,
    assert_void,
    begin,
    play,
    soon,
    wait_for,
)
from daemon import Daemon

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError

pytestmark = pytest.mark.docker
ENDS = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"]
)


@pytest.fixture
def daemon(own_docker: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    own_docker.ensure()
    monkeypatch.setenv("DOCKER_HOST", own_docker.address)
    yield own_docker
    if own_docker.answers():
        assert wait_for(lambda: not own_docker.containers(), 15), "a container was left"


@pytest.fixture
def env(quick_task: Path, daemon: Daemon) -> Iterator[MLGymEnv]:
    env = MLGymEnv(quick_task, sandbox="docker")
    yield env
    env.close()


@ENDS
def test_a_daemon_that_ends_voids_the_episode_and_another_can_follow(
    env: MLGymEnv, daemon: Daemon, number: int
) -> None:
    assert_grades(env)
    daemon.end(number)
    assert_void(env, "ls", SandboxError)
    # As often as one asks; and once it is back, so is the environment.
    for _ in range(2):
        with pytest.raises(SandboxError, match="no Docker daemon answers"):
            env.reset()
        assert not env.started
    daemon.start()
    assert_grades(env)


@ENDS
def test_a_daemon_that_ends_under_a_command_voids_the_episode(
    number_task: Path, daemon: Daemon, number: int
) -> None:
    with MLGymEnv(number_task, sandbox="docker") as env:
        begin(env)
        with soon(lambda _: daemon.end(number), lambda: env.sandbox):
            assert_void(env, "sleep 19", SandboxError)
        env.close()
        daemon.start()
        assert_usable(env)


def test_a_daemon_that_ends_between_episodes_is_nobody_s_failure(
    env: MLGymEnv, daemon: Daemon
) -> None:
    assert_grades(env)
    daemon.end()
    daemon.start()
    assert_grades(env)


def test_a_daemon_that_ends_before_a_grading_voids_the_episode(
    env: MLGymEnv, daemon: Daemon
) -> None:
    begin(env)
    files = env.sandbox.read("/workspace/answer.txt", 10)
    assert files == b"5\n"
    daemon.end()
    assert_void(env, "submit", SandboxError)


@ENDS
def test_a_run_whose_daemon_ends_is_recorded_as_the_infrastructure_s(
    quick_task: Path, daemon: Daemon, tmp_path: Path, number: int
) -> None:
    def at_the_second(env: MLGymEnv, step: int) -> None:
        if step == 1:
            daemon.end(number)

    played = play(quick_task, "docker", tmp_path / "runs", ["true", "ls"], at_the_second)
    assert_recorded_as_void(played, "sandbox_error", 2)
    daemon.start()
