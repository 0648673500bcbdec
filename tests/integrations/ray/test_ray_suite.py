"""A suite as Ray tasks ends with the records of one that was played without Ray."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakage import descendants, wait_for
from suites import House, ended, make_house, told
from typer.testing import CliRunner

TASKS = ("number", "second")
CELLS = 4


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> House:
    return make_house(tmp_path_factory.mktemp("suites"), lay_number_task, TASKS[1:])


def words(house: House, out: str) -> tuple[object, ...]:
    asked = ("--tasks", ",".join(TASKS), "--agents", "toolcaller,oracle", "--models", house.model)
    return (*asked, "--sandbox", "bubblewrap", "--out", out, "backoff_s=0.1")


@pytest.fixture(scope="module")
def undisturbed(house: House) -> dict[str, Any]:
    """What is told of the suite without Ray."""
    summary = house.play(*words(house, "undisturbed"), "--jobs", 2)
    assert summary["counts"] == {"cells": CELLS, "scored": CELLS}
    return told(house.folder / "undisturbed")


def players(cluster: Any) -> list[int]:
    """The processes of the cluster that play cells."""
    found: list[int] = []
    for node in cluster.list_all_nodes():
        for pid in descendants(node.all_processes["raylet"][0].process.pid):
            with contextlib.suppress(OSError):
                if b"mlgym.runs.suite.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_suite_whose_worker_is_killed_ends_as_one_that_nobody_disturbed(
    cluster: Any, house: House, undisturbed: dict[str, Any]
) -> None:
    process = house.start(*words(house, "killed"), "--ray", cluster.address, "--json")
    suite = house.folder / "killed"
    assert wait_for(lambda: list(suite.glob("*toolcaller*/run.json")), 200)
    assert wait_for(lambda: players(cluster), 10)
    victim = parent(players(cluster)[0])
    assert "ray::" in Path(f"/proc/{victim}/cmdline").read_text()
    os.kill(victim, signal.SIGKILL)
    summary = ended(process)
    assert told(suite) == undisturbed
    assert summary["counts"] == {"cells": CELLS, "scored": CELLS}
    assert summary["failures"] == {"infrastructure": 1}


def test_a_suite_that_is_interrupted_is_gone_on_with_anywhere(
    cluster: Any, house: House, undisturbed: dict[str, Any]
) -> None:
    suite = house.folder / "interrupted"
    process = house.start(*words(house, suite.name), "--ray", cluster.address)
    assert wait_for(lambda: list(suite.glob("*toolcaller*/run.json")), 200)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "interrupted" in err
    assert not players(cluster)
    summary = house.play("--out", suite, "--resume")
    assert told(suite) == undisturbed
    assert summary["counts"] == {"cells": CELLS, "scored": CELLS}
    assert summary["failures"] == {}


def test_runs_are_sent_back_where_the_nodes_do_not_see_the_folder(
    cluster: Any, house: House, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlgym.cli.main import app
    from mlgym.distributed.crew import RayCrew

    monkeypatch.setattr(RayCrew, "_asked", lambda *_: [True, False])
    monkeypatch.setenv("MLGYM_PATH", str(house.folder))
    monkeypatch.chdir(house.folder)
    suite = house.folder / "sent"
    asked = [*map(str, words(house, str(suite))), "--ray", cluster.address, "--json"]
    done = CliRunner().invoke(app, ["eval", *asked])
    assert done.exit_code == 0, done.output
    assert "runs are sent back" in done.stderr
    assert json.loads(done.stdout)["counts"] == {"cells": CELLS, "scored": CELLS}
    assert told(suite) == undisturbed
    assert (next(suite.glob("*toolcaller*")) / "workspace.tar.zst").is_file()
    assert not list(suite.glob(".arriving-*"))
