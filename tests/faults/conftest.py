"""Surroundings of the tests of failures: a temporary folder of their own, and nothing left in it.

What fails here is the infrastructure or the task author's grader. However it fails, the episode is
void with one clear sentence, the environment can be used again, and nothing stays behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from breakage import alive, descendants, edit, wait_for

from mlgym.env import MLGymEnv
from mlgym.runs.leftovers import reap
from mlgym.sandbox.docker_client import OWNER, connect, owner_label
from mlgym.sandbox.scratch import remove_abandoned


def _own_containers() -> list[str]:
    """Containers and volumes that this process started on the daemon and that are still there."""
    client = connect()
    try:
        mine = {"label": f"{OWNER}={owner_label('')[OWNER]}"}
        found = client.api.containers(all=True, filters=mine)
        return [str(item) for item in (*found, *client.volumes.list(filters=mine))]
    finally:
        client.close()


@pytest.fixture(autouse=True)
def nothing_stays(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A temporary folder of the test's own; once the test is over nothing may be left of it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = descendants(os.getpid())
    yield folder
    new = descendants(os.getpid()) - before
    assert wait_for(lambda: not any(map(alive, new)), 5), "a process outlived its environment"
    assert not list(folder.glob("mlgym-*-*")), "a temporary folder was left"
    assert reap("bubblewrap") == []
    assert not any(path.stat().st_size for path in folder.glob("mlgym-*/slot-*"))
    assert remove_abandoned(0.0) == []
    params = getattr(request.node, "callspec", None)
    if params is not None and params.params.get("backend") == "docker":
        assert wait_for(lambda: not _own_containers(), 5), "a container was left"


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
