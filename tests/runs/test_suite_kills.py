"""A suite that is killed and gone on with ends as one that nobody disturbed.

`MLGYM_SUITE_KILLS=3` (`make test-suite`) kills a suite of 3 tasks, 2 agents and 4 seeds so often in
each way, instead of a smaller one once.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakage import alive, descendants, wait_for
from suites import House, ended, make_house, told

KILLS = int(os.environ.get("MLGYM_SUITE_KILLS", "1"))
WHOLE = "MLGYM_SUITE_KILLS" in os.environ
TASKS = ("number", "second", "third") if WHOLE else ("number", "second")
SEEDS = 4 if WHOLE else 1


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> House:
    return make_house(tmp_path_factory.mktemp("suites"), lay_number_task, TASKS[1:])


def words(house: House, out: str) -> tuple[object, ...]:
    asked = ("--tasks", ",".join(TASKS), "--agents", "toolcaller,oracle", "--seeds", SEEDS)
    return (*asked, "--models", house.model, "--jobs", 2, "--sandbox", "bubblewrap", "--out", out)


@pytest.fixture(scope="module")
def undisturbed(house: House) -> tuple[dict[str, Any], float]:
    """What is told of the suite where nothing kills it, and how long it takes."""
    began = time.monotonic()
    house.play(*words(house, "undisturbed"))
    return told(house.folder / "undisturbed"), time.monotonic() - began


def kill_parent(process: subprocess.Popen[str]) -> None:
    process.kill()


def kill_all(process: subprocess.Popen[str]) -> None:
    """At once: its workers do not see it die, as they do not where it dies alone."""
    process.send_signal(signal.SIGSTOP)
    for pid in (*descendants(process.pid), process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("kill", [kill_parent, kill_all, interrupt])
def test_a_suite_killed_at_any_moment_is_gone_on_with_to_the_same_end(
    house: House,
    undisturbed: tuple[dict[str, Any], float],
    kill: Callable[[subprocess.Popen[str]], None],
) -> None:
    expected, length_s = undisturbed
    assert len(expected) == len(TASKS) * 2 * SEEDS
    suite = house.folder / kill.__name__
    chance = random.Random(KILLS)
    for _ in range(KILLS):
        process = house.start(*words(house, suite.name))
        # From when its first run has been begun.
        assert wait_for(lambda: list(suite.glob("*/run.json")), 30)
        time.sleep(chance.uniform(0.0, length_s * 0.8))
        below = descendants(process.pid)
        kill(process)
        process.communicate(timeout=20)
        assert wait_for(lambda below=below: not any(map(alive, below)), 5), "a process lives on"
    summary = house.play("--out", suite, "--resume")
    assert told(suite) == expected
    assert summary["counts"] == {"cells": len(expected), "scored": len(expected)}
    assert summary["failures"] == {}
    assert not list(suite.glob("*/checkpoint")), "a run was not ended"


def test_two_suites_at_once_in_one_folder_share_the_work(
    house: House, undisturbed: tuple[dict[str, Any], float]
) -> None:
    both = [house.start(*words(house, "shared"), "--jobs", 1, "--json") for _ in range(2)]
    for process in both:
        counts = ended(process)["counts"]
        assert counts == {"cells": len(undisturbed[0]), "scored": len(undisturbed[0])}
    assert told(house.folder / "shared") == undisturbed[0]
    for log in (house.folder / "shared").glob("*/log.txt"):
        assert log.read_text().count("began:") == 1
