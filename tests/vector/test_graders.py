"""Few graders for many environments: waiting for one, keeping apart, losing and ending them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.pids import descendants
from mlgym.task.graders import Graders
from mlgym.vector import MLGymVectorEnv, make_vec

Make = Callable[..., MLGymVectorEnv]
SLOW = """\
import time


def grade(submission, answers, split, rng):
    time.sleep(1)
    return {"value": float((submission / "answer.txt").read_text())}
"""
# What a grading left behind, anywhere that it can write, would show in the next one's value.
NOSY = """\
import sys
from pathlib import Path

PLACES = ("/workspace", "/tmp", "/home/agent", "/dev/shm")


def grade(submission, answers, split, rng):
    sys.path.append("left behind")
    found = sum(1 for place in PLACES for path in Path(place).iterdir())
    for place in PLACES:
        (Path(place) / "left").touch()
    return {"value": rng.random() + found + sys.path.count("left behind")}
"""


def referees(graders: Graders) -> list[GuestSandbox]:
    """The sandboxes of those that have nothing to do."""
    found = [grader._referee for _, grader in graders._idle]
    assert all(isinstance(sandbox, GuestSandbox) for sandbox in found)
    return found  # type: ignore[return-value]


def answered(make: Make, count: int, **kwargs: object) -> MLGymVectorEnv:
    """A vector whose environments have handed in 0, 1, 2 ..."""
    envs = make(count, **kwargs)
    envs.reset(seed=0)
    envs.step([f"echo {number} > answer.txt" for number in range(count)])
    return envs


def test_environments_share_graders_and_each_gets_its_own_score(make: Make) -> None:
    with Graders(2) as graders:
        envs = answered(make, 3, graders=graders)
        assert referees(graders) == []
        assert envs.step(["validate"] * 3)[4]["metrics"]["value"].tolist() == [0, 1, 2]
        warm = referees(graders)
        assert len(warm) == 2
        envs.close()
        assert referees(graders) == warm  # they are not the vector's to end
    assert referees(graders) == []
    assert not any(sandbox.pids() for sandbox in warm)


def test_scores_do_not_depend_on_who_graded_what_before(number_task: Path, make: Make) -> None:
    (number_task / "grader" / "grade.py").write_text(NOSY)
    envs = answered(make, 2, graders=1)
    found = [envs.step(["validate"] * 2)[4]["metrics"]["value"].tolist() for _ in range(2)]
    with MLGymEnv(number_task, sandbox="bubblewrap") as alone:
        alone.reset(seed=5)
        alone.step("echo 7 > answer.txt")
        value = alone.step("validate")[4]["metrics"]["value"]
    assert found == [[value] * 2] * 2


def test_siblings_step_on_while_some_are_graded_and_some_wait_for_a_grader(
    number_task: Path, make: Make
) -> None:
    (number_task / "grader" / "grade.py").write_text(SLOW)
    envs = answered(make, 3, graders=1)
    began = time.monotonic()
    envs.step_async(("validate", "validate", "echo on"))
    validated: list[tuple[int, float]] = []
    steps, busy = 0, time.thread_time()
    while len(validated) < 2:
        ids, _, _, _, _, infos = envs.recv()
        for place, number in enumerate(ids.tolist()):
            if number == 2:
                steps += 1
                envs.send(["sleep 0.02"], [2])
            else:
                validated.append((number, infos["metrics"]["value"][place]))
    assert sorted(validated) == [(0, 0.0), (1, 1.0)]
    assert time.monotonic() - began > 2
    assert steps > 20
    assert time.thread_time() - busy < 0.7  # nobody looks again and again


def test_a_lost_grader_is_replaced_and_a_bug_harms_nobody_who_is_graded_after(make: Make) -> None:
    with Graders(1) as graders:
        envs = answered(make, 3, graders=graders)
        envs.step(("validate", "echo none > answer.txt", "true"))
        (lost,) = referees(graders)
        for pid in lost.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert envs.step(("validate", "true", "true"))[4]["metrics"]["value"][0] == 0
        assert referees(graders) != [lost]
        envs.step(("echo bug > answer.txt", "true", "true"))
        texts, _, _, truncations, infos = envs.step(["validate"] * 3)
        assert truncations.tolist() == [True, False, False]
        assert "found 'none'" in texts[1]
        assert infos["metrics"]["value"][2] == 2


def test_graders_of_another_task_make_room(
    tmp_path: Path, lay_number_task: Callable[[Path], Path]
) -> None:
    folders = [lay_number_task(tmp_path / name) for name in ("one", "other")]
    script = folders[1] / "grader" / "grade.py"
    script.write_text(script.read_text().replace("value if", "value + 5 if"))
    with Graders(1) as graders, make_vec(folders, 2, graders=graders) as envs:
        envs.reset(seed=0)
        envs.step(["echo 1 > answer.txt"] * 2)
        assert envs.step(["validate"] * 2)[4]["metrics"]["value"].tolist() == [1, 6]
        assert len(referees(graders)) == 1
        assert envs.step(("validate", "true"))[4]["metrics"]["value"][0] == 1


def test_who_waits_for_a_grader_ends_with_the_vector(number_task: Path, make: Make) -> None:
    (number_task / "grader" / "grade.py").write_text(SLOW)
    before = descendants(os.getpid())
    with Graders(1) as graders:
        envs = answered(make, 3, graders=graders)
        envs.step_async(["validate"] * 3)
        with pytest.raises(TimeoutError):
            envs.step_wait(timeout=0.3)
        envs.close()
        assert (graders._free, len(graders._waiting)) == (1, 0)
        with MLGymEnv(number_task, sandbox="bubblewrap") as env:
            env.laboratory.graders = graders
            env.reset(seed=0)
            env.step("echo 4 > answer.txt")
            assert env.step("validate")[4]["metrics"] == {"value": 4.0}
    assert descendants(os.getpid()) == before


def test_environments_in_threads_share_graders_too(number_task: Path) -> None:
    found: dict[int, float] = {}

    def validate(number: int) -> None:
        with MLGymEnv(number_task, sandbox="bubblewrap") as env:
            env.laboratory.graders = graders
            env.reset(seed=0)
            env.step(f"echo {number} > answer.txt")
            found[number] = env.step("validate")[4]["metrics"]["value"]

    with Graders(1) as graders:
        threads = [threading.Thread(target=validate, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(referees(graders)) == 1
    assert found == {0: 0.0, 1: 1.0}


def test_there_must_be_a_grader_at_least(make: Make) -> None:
    with pytest.raises(ConfigError, match="graders: found 0"):
        make(1, graders=0)
    assert Graders().most == len(os.sched_getaffinity(0))
