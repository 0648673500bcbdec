"""A Docker daemon that is stopped in the middle of a suite: no score is 0, and none is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from breakage import wait_for
from daemon import Daemon
from suites import House, make_house, told, write_script

from mlgym.runs.store import TRAJECTORY

pytestmark = pytest.mark.docker
SLOW = (
    {"calls": [["bash", {"command": "echo 4 > answer.txt; sleep 1"}], ["validate", {}]]},
    {"calls": [["bash", {"command": "echo 8 > answer.txt; sleep 1"}], ["submit", {}]]},
)


@pytest.fixture
def house(
    tmp_path: Path,
    lay_number_task: Callable[[Path], Path],
    own_docker: Daemon,
    monkeypatch: pytest.MonkeyPatch,
) -> House:
    own_docker.ensure()
    monkeypatch.setenv("DOCKER_HOST", own_docker.address)
    return make_house(tmp_path, lay_number_task, ["second"])


@pytest.mark.parametrize("patience_s", [1800, 1], ids=["waited for", "given up"])
def test_a_daemon_that_is_stopped_in_the_middle_costs_tries_and_no_score(
    house: House, own_docker: Daemon, patience_s: int
) -> None:
    model = write_script(house.folder / "slow.jsonl", SLOW)
    suite, said = house.folder / "s", house.folder / "said"
    words = ("--tasks", "number,second", "--models", model, "--seeds", 2, "--jobs", 2)
    words = (*words, "--sandbox", "docker", "--out", suite, "--json", "backoff_s=3")
    with said.open("w") as told_here:
        process = house.start(*words, f"patience_s={patience_s}", stderr=told_here)
    # When both jobs are at work on a command.
    assert wait_for(lambda: sum(map(_lines, suite.glob(f"*/{TRAJECTORY}"))) >= 2, 60)
    own_docker.end()
    assert wait_for(lambda: f"waiting up to {patience_s} s" in said.read_text(), 60)
    if patience_s == 1:
        given_up = json.loads(process.communicate(timeout=60)[0])
        assert process.returncode == 3
        assert given_up["counts"].keys() <= {"cells", "scored", "null"}
        assert 0.0 not in [cell["score"] for cell in given_up["cells"]]
    own_docker.start()
    if patience_s == 1:
        process = house.start(*words)
    assert process.wait(120) == 0, said.read_text()
    summary = json.loads(process.communicate()[0])
    assert summary["counts"] == {"cells": 4, "scored": 4}
    assert {cell["metrics"]["value"] for cell in summary["cells"]} == {7.0}
    # What was lost is kept, counted, and listed where an action of an agent's ran.
    lost = {path.name for path in suite.glob("*.lost*")}
    assert lost
    assert summary["failures"]["infrastructure"] == len(lost)
    assert {one["run"] for one in summary["lost_sandboxes"]} <= lost
    for name in lost:
        record = told(suite)[name][0]
        assert (record["status"], record["score"]) == ("infrastructure_failure", None)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
