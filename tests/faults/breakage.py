"""Harm done to sandboxes from the host, episodes that are played under it, and what is left."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlgym import Decision
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import MLGymError, SandboxError
from mlgym.runs.leftovers import reap
from mlgym.runs.single import check, make_env, run_episode
from mlgym.sandbox.docker_client import OWNER, connect, owner_label
from mlgym.sandbox.scratch import remove_abandoned
from mlgym.types import Transition

Harm = Callable[[Any], None]


def edit(path: Path, old: str, new: str) -> None:
    """Replace what stands in a file once."""
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


# Processes ------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> set[int]:
    """All living processes below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    left = [pid]
    while left:
        below = children.get(left.pop(), [])
        found.update(below)
        left += below
    return {pid for pid in found if alive(pid)}


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


# What is left -------------------------------------------------------------------------------


def own_containers() -> list[str]:
    """Containers and volumes that this process started on the daemon and that are still there."""
    client = connect()
    try:
        mine = {"label": f"{OWNER}={owner_label('')[OWNER]}"}
        found = client.api.containers(all=True, filters=mine)
        return [str(item) for item in (*found, *client.volumes.list(filters=mine))]
    finally:
        client.close()


def own_temporary_folder(below: Path, docker_too: bool) -> Iterator[Path]:
    """A temporary folder for all that is started meanwhile; afterwards nothing may be left."""
    folder = below / "tmp"
    folder.mkdir()
    before = descendants(os.getpid())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
        new = descendants(os.getpid()) - before
        assert wait_for(lambda: not any(map(alive, new)), 5), "a process outlived its environment"
        assert not list(folder.glob("mlgym-*-*")), "a temporary folder was left"
        assert not any(path.stat().st_size for path in folder.glob("mlgym-*/slot-*"))
        assert reap("bubblewrap") == []
        assert remove_abandoned(0.0) == []
        if docker_too:
            assert wait_for(lambda: not own_containers(), 5), "a container was left"


# Harm -----------------------------------------------------------------------------------------


def container_of(sandbox: Any) -> Any:
    return sandbox._launcher._container


def guest_pid(sandbox: Any) -> int:
    """PID 1 of the sandbox, as the host sees it."""
    launcher = sandbox._launcher
    if hasattr(launcher, "_guest_pid"):
        return launcher._guest_pid
    return launcher._client.api.inspect_container(launcher._container.id)["State"]["Pid"]


def kill(sandbox: Any) -> None:
    os.kill(guest_pid(sandbox), signal.SIGKILL)


def stop(sandbox: Any) -> None:
    """It lives on and never answers again."""
    os.kill(guest_pid(sandbox), signal.SIGSTOP)


@contextmanager
def soon(harm: Harm, sandbox: Callable[[], Any], delay: float = 0.3):
    """Do harm from another thread, `delay` seconds after `sandbox()` gives one."""
    failed: list[Exception] = []

    def act() -> None:
        try:
            assert wait_for(lambda: sandbox() is not None, 20)
            time.sleep(delay)
            harm(sandbox())
        except (OSError, AssertionError) as error:
            failed.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failed, failed


# Episodes -------------------------------------------------------------------------------------


def begin(env: MLGymEnv, value: int = 5) -> None:
    """A fresh episode, with a submission worth `value`."""
    env.reset()
    assert env.step(f"echo {value} > answer.txt")[4]["exit_code"] == 0


@contextmanager
def impatient(seconds: float = 0.6):
    """What does not answer counts as lost at once. Only where it must be lost: it may be busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlgym.sandbox.session.GRACE_S", seconds)
        patch.setattr("mlgym.sandbox.bubblewrap._END_S", seconds)
        patch.setattr("mlgym.task.grading._ALIVE_S", seconds)
        yield


def assert_void(env: MLGymEnv, action: str, kind: type[MLGymError]) -> str:
    """The action voids the episode; the sentence that says why."""
    with pytest.raises(kind) as raised, impatient():
        env.step(action)
    assert type(raised.value) is kind
    assert (env.status, env.score) == ("infrastructure_failure", None)
    reason = "sandbox_error" if kind is SandboxError else "task_error"
    assert env.exit_reason == reason
    return a_sentence(raised.value)


def a_sentence(error: BaseException) -> str:
    """What an error says, which must be fit to be shown: one line, or one and what it quotes."""
    text = str(error)
    first, _, rest = text.partition("\n")
    assert 10 < len(first) < 400, text
    assert not rest or first.endswith(":"), text
    return text


def assert_usable(env: MLGymEnv) -> None:
    """Whatever happened before, a new episode can be played."""
    env.reset()
    assert env.step("echo back; ls")[0] == "back\nREADME.md\ndata\n"


def assert_grades(env: MLGymEnv) -> None:
    """Whatever happened before, a new episode can be played and graded."""
    begin(env)
    assert env.step("validate")[4]["metrics"] == {"value": 5.0}
    assert env.status == "unscored"


class Scripted:
    """An agent that gives the actions in its settings, one after another."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._left = list(settings["actions"])

    def reset(self, brief: object, tools: object) -> None: ...

    def act(self, observation: object) -> Decision:
        del observation
        return Decision(self._left.pop(0))


@dataclass(frozen=True)
class Played:
    """What was kept of a run."""

    record: dict[str, Any]
    transitions: list[Transition]


def play(
    task: Path,
    backend: str,
    out: Path,
    actions: Sequence[str],
    harm: Callable[[MLGymEnv, int], None] = lambda *_: None,
) -> Played:
    """Run an episode of `actions` down to its record; `harm` is called before each of them."""
    config = RunConfig.make(
        task=str(task),
        agent="breakage:Scripted",
        sandbox=backend,
        out=out,
        settings={"actions": list(actions)},
    )
    found = check(config)
    env = make_env(config, found)
    numbers = iter(range(len(actions)))
    with impatient(1.0):
        folder, record, _ = run_episode(
            config, found, env, on_action=lambda _: harm(env, next(numbers))
        )
    assert record == folder.record()
    return Played(record, folder.transitions())


def assert_recorded_as_void(played: Played, reason: str, steps: int) -> None:
    record = played.record
    assert (record["status"], record["exit_reason"]) == ("infrastructure_failure", reason)
    assert (record["score"], record["total_reward"]) == (None, 0.0)
    last = played.transitions[-1]
    assert (last.tool, last.truncated, last.reward) == ("lost", True, 0.0)
    assert last.observation.startswith(f"{reason}: ")
    assert record["steps"] == steps == last.step
