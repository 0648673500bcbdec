"""A suite that is killed and gone on with ends as one that nobody disturbed.

`MLGYM_SUITE_KILLS=3` (`make test-suite`) kills a suite of 3 tasks, 2 agents and 4 seeds so often,
in one way after the other, instead of a smaller one once.
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
CELLS = len(TASKS) * 2 * SEEDS


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> House:
    return make_house(tmp_path_factory.mktemp("suites"), lay_number_task, TASKS[1:])


def words(house: House, out: str) -> tuple[object, ...]:
    asked = ("--tasks", ",".join(TASKS), "--agents", "toolcaller,oracle", "--seeds", SEEDS)
    return (*asked, "--models", house.model, "--jobs", 2, "--sandbox", "bubblewrap", "--out", out)


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


WAYS = (kill_parent, kill_all, interrupt)


@pytest.fixture(scope="module")
def undisturbed(house: House) -> dict[str, Any]:
    """What is told of the suite where nothing kills it, played by two commands at once."""
    both = [house.start(*words(house, "undisturbed"), "--jobs", 1, "--json") for _ in range(2)]
    for process in both:
        assert ended(process)["counts"] == {"cells": CELLS, "scored": CELLS}
    return told(house.folder / "undisturbed")


def test_two_commands_at_once_on_one_folder_play_each_cell_once(
    house: House, undisturbed: dict[str, Any]
) -> None:
    assert len(undisturbed) == CELLS
    for log in (house.folder / "undisturbed").glob("*/log.txt"):
        assert log.read_text().count("began:") == 1


def test_a_suite_killed_at_any_moment_is_gone_on_with_to_the_same_end(
    house: House, undisturbed: dict[str, Any]
) -> None:
    suite = house.folder / "killed"
    chance = random.Random(KILLS)
    for number in range(KILLS):
        lines = len(list(suite.glob("*/run.json")))
        process = house.start(*words(house, suite.name))
        # From when it has begun something, for as long as it may take to play its share.
        begun = wait_for(lambda lines=lines: len(list(suite.glob("*/run.json"))) > lines, 10)
        time.sleep(chance.uniform(0.0, 0.3 * CELLS / KILLS))
        below = descendants(process.pid)
        WAYS[number % len(WAYS)](process)
        process.communicate(timeout=20)
        assert wait_for(lambda below=below: not any(map(alive, below)), 5), "a process lives on"
        assert begun or number, "it was killed before it had begun"
    summary = house.play("--out", suite, "--resume")
    assert told(suite) == undisturbed
    assert summary["counts"] == {"cells": CELLS, "scored": CELLS}
    assert summary["failures"] == {}
    assert not list(suite.glob("*/checkpoint")), "a run was not ended"
