"""Surroundings of the tests of failures: a temporary folder of their own, and nothing left in it.

What fails here is the infrastructure or the task author's grader. However it fails, the episode is
void with one clear sentence, the environment can be used again, and nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from breakage import edit, own_temporary_folder
from daemon import Daemon, missing, own_daemon

from mlgym.env import MLGymEnv
from mlgym.sandbox.docker_images import docker_tag
from mlgym.sandbox.images import load_image


@pytest.fixture(autouse=True)
def nothing_stays(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A temporary folder of the test's own; once the test is over nothing may be left of it."""
    params = getattr(request.node, "callspec", None)
    on_docker = params is not None and params.params.get("backend") == "docker"
    yield from own_temporary_folder(tmp_path, docker_too=on_docker)


@pytest.fixture
def quick_task(number_task: Path) -> Path:
    """The number task, whose commands take a second at most and whose gradings three."""
    edit(number_task / "task.yaml", "timeout_s: 20", "timeout_s: 3")
    edit(number_task / "task.yaml", "command_s: 20", "command_s: 1")
    return number_task


@pytest.fixture
def env(quick_task: Path, backend: str) -> Iterator[MLGymEnv]:
    env = MLGymEnv(quick_task, sandbox=backend)
    yield env
    env.close()


@pytest.fixture(scope="session")
def own_docker() -> Iterator[Daemon]:
    """A Docker daemon for these tests alone, with the image `base`."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with own_daemon(docker_tag(load_image("base"))) as daemon:
        yield daemon
