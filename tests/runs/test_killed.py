"""Runs that are killed or interrupted from outside: what is left on disk, and that nothing runs."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlgym.runs.store import RunFolder

AGENT = """\
from mlgym import Decision


class Sleeper:
    def __init__(self):
        long = "sleep {mark} & (setsid sleep {mark} &); sleep {mark}"
        self.plan = ["echo first", "validate", long]

    def reset(self, brief, tools):
        pass

    def act(self, observation):
        return Decision(self.plan.pop(0))
"""
RUN = """\
import sys
from pathlib import Path
from mlgym.config import RunConfig
from mlgym.runs.single import check, make_env, run_episode

config = RunConfig.make(task="battle_of_sexes", agent="sleeper:Sleeper", data="mini",
                        sandbox=sys.argv[1], out=Path("runs"))
found = check(config)
run_episode(config, found, make_env(config, found))
"""


def running(mark: str) -> list[str]:
    """The processes of this machine, sandboxed ones too, that have `mark` among their words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(entry.name)
    return found


def descendants(pid: int) -> set[int]:
    """All processes below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found, left = set(), [pid]
    while left:
        for child in children.get(left.pop(), []):
            found.add(child)
            left.append(child)
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


@pytest.fixture
def sleeping_run(tmp_path, backend):
    """A run in a process of its own, in the middle of a long command; and what marks that."""
    mark = f"98{secrets.randbelow(10**9):09}"
    (tmp_path / "sleeper.py").write_text(AGENT.format(mark=mark))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, backend],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert wait_for(lambda: len(running(mark)) == 3 or process.poll() is not None, 60)
        assert process.poll() is None, process.stderr.read()
        yield process, mark, tmp_path / "runs"
    finally:
        process.kill()
        process.communicate()


def the_run(root: Path) -> RunFolder:
    (path,) = root.iterdir()
    return RunFolder(path)


def test_a_killed_run_can_be_read_and_nothing_of_it_goes_on(sleeping_run):
    process, mark, root = sleeping_run
    below = descendants(process.pid)
    process.kill()
    assert wait_for(lambda: not running(mark) and not any(map(alive, below)), 5)
    run = the_run(root)
    record = run.record()
    assert (record["status"], record["exit_reason"], record["score"]) == ("unscored", None, None)
    lines = run.transitions()
    assert [line.action for line in lines] == [None, "echo first", "validate"]
    assert lines[2].metrics.keys() == {"payoff"}


def test_an_interrupt_ends_the_run_by_the_rule_and_nothing_of_it_goes_on(sleeping_run):
    """As Ctrl-C does it: the whole process group is signalled, sandboxes and graders too."""
    process, mark, root = sleeping_run
    below = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 0, process.stderr.read()
    assert wait_for(lambda: not running(mark) and not any(map(alive, below)), 5)
    run = the_run(root)
    record = run.record()
    assert (record["status"], record["exit_reason"]) == ("scored", "interrupted")
    assert record["score"]["source"] == "best_validated"
    assert run.transitions()[-1].tool == "finish"
