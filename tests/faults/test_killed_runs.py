"""`kill -9` of a run at any moment: what can be read of it, what goes on, what `mlgym gc` finds."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from breakage import alive, descendants, running, wait_for
from daemon import Daemon

from mlgym.runs.leftovers import reap, remove_unfinished
from mlgym.runs.store import RECORD, RunFolder
from mlgym.sandbox.scratch import remove_abandoned

KILLS = int(os.environ.get("MLGYM_FAULTS_KILLS", "6"))
BACKENDS = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
AGENT = """\
from mlgym import Decision


class Worker:
    def __init__(self):
        self.plan = [
            "sleep {mark} & (setsid sleep {mark} &)",
            "echo 5 > answer.txt",
            "seq 1000",
            "validate",
            "python -c 'print(1)'",
            "validate",
            "timeout 0.3 sleep {mark}",
            "submit",
        ]

    def reset(self, brief, tools):
        pass

    def act(self, observation):
        return Decision(self.plan.pop(0))
"""


@dataclass(frozen=True)
class Surroundings:
    """Where a run lives, all of it its own: folder, home, temporary folder, processes' mark."""

    folder: Path
    environment: dict[str, str]
    mark: str

    def command(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mlgym", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def surroundings(
    number_task: Path,
    tmp_path: Path,
    base_image: Path,
    nothing_stays: Path,
    backend: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Surroundings:
    if backend == "docker":
        daemon: Daemon = request.getfixturevalue("own_docker")
        daemon.ensure()
        monkeypatch.setenv("DOCKER_HOST", daemon.address)
    else:
        # So that nothing of anybody else's is removed from the machine's daemon.
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    home = tmp_path / "home"
    home.mkdir()
    (home / "envs").symlink_to(base_image.parent)
    monkeypatch.setenv("MLGYM_HOME", str(home))
    mark = f"97{secrets.randbelow(10**9):09}"
    (tmp_path / "worker.py").write_text(AGENT.format(mark=mark))
    return Surroundings(tmp_path, dict(os.environ), mark)


def start(where: Surroundings, backend: str) -> subprocess.Popen[str]:
    task = where.folder / "tasks" / "number"
    words = ["--task", str(task), "--agent", "worker:Worker", "--sandbox", backend]
    return where.command("run", *words, "--out", "runs")


def assert_readable(run: RunFolder) -> None:
    """Whenever it was killed: whole lines, in order, and no score that was not recorded."""
    lines = run.transitions()
    assert [line.step for line in lines] == list(range(len(lines)))
    if not (run.path / RECORD).exists():
        assert not lines
        return
    record = run.record()
    if record["exit_reason"] is None:
        assert (record["status"], record["score"], record["steps"]) == ("unscored", None, 0)
    else:
        assert (record["status"], record["steps"]) == ("scored", len(lines) - 1)


def moments(count: int, length_s: float) -> list[float]:
    """Seconds after the start: one drawn from each part of a run's length, in a mixed order."""
    drawn = random.Random(count)
    found = [length_s * (part + drawn.random()) / count for part in range(count)]
    drawn.shuffle(found)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_killed_at_any_moment_is_readable_and_leaves_nothing_that_gc_does_not_find(
    surroundings: Surroundings, backend: str
) -> None:
    where = surroundings
    home = Path(os.environ["MLGYM_HOME"])
    began = time.monotonic()
    whole = start(where, backend)
    told = whole.communicate()[0]
    assert whole.returncode == 0, told
    for moment in moments(KILLS, time.monotonic() - began):
        for made in ("roots", *(path.name for path in home.glob("kit-*"))):
            # So that the run may be killed while it makes them, too.
            shutil.rmtree(home / made, ignore_errors=True)
        process = start(where, backend)
        time.sleep(moment)
        below = descendants(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert wait_for(lambda: not running(where.mark), 5), f"killed at {moment:.2f} s"
        assert wait_for(lambda below=below: not any(map(alive, below)), 5), f"{moment:.2f} s"
    for path in (where.folder / "runs").glob("*"):
        assert_readable(RunFolder(path))
    gc = where.command("gc", "--json")
    assert isinstance(json.loads(gc.communicate()[0]), list)
    assert gc.returncode == 0
    # It spares what is younger than a minute, which its owner may still be about to lock.
    remove_abandoned(0.0)
    remove_unfinished(0.0)
    assert [*reap(backend), *remove_abandoned(0.0), *remove_unfinished(0.0)] == []
    assert not list(Path(tempfile.gettempdir()).glob("mlgym-*-*"))
    assert not [path.name for path in home.rglob("*new-*") if "envs" not in path.parts]
    if backend == "docker":
        assert not reap("docker")
