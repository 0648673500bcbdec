"""Spare sandboxes: cleaned in the background, proven clean, replaced where lost, ended with all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox, SandboxSpec
from mlgym.sandbox.bubblewrap import BubblewrapSandbox
from mlgym.sandbox.conformance import conformance_spec
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.pool import Pool, Pools

SPOIL = "echo > here; rm hello.py; echo > /tmp/there; A=1; sleep 1000 >/dev/null 2>&1 &"
LEAVER = """
import sys
from pathlib import Path
from mlgym.sandbox.bubblewrap import BubblewrapSandbox
from mlgym.sandbox.conformance import conformance_spec
from mlgym.sandbox.pool import Pool
spec = conformance_spec(Path(sys.argv[1]))
pool = Pool(lambda: BubblewrapSandbox(spec), 2)
pool.exchange(pool.take())
"""


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    return conformance_spec(tmp_path)


@pytest.fixture
def pooled(spec: SandboxSpec) -> Iterator[Callable[..., Pool]]:
    """Makes pools, of one spare bubblewrap sandbox unless told otherwise, and closes them."""
    made: list[Pool] = []

    def make(
        sandbox: Callable[[SandboxSpec], Sandbox] = BubblewrapSandbox, spares: int = 1
    ) -> Pool:
        made.append(Pool(lambda: sandbox(spec), spares))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def hands() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mlgym-pool"]


def test_a_used_sandbox_is_exchanged_for_a_clean_one_and_comes_back_clean(
    pooled: Callable[..., Pool], backend: str
) -> None:
    pool = pooled(load_backend(backend))
    assert not hands()
    first = pool.take()
    until(lambda: pool.counts.ready == 1)
    first.run(SPOIL, 10)
    second = pool.exchange(first)
    assert second is not first
    until(lambda: pool.counts.ready == 1)
    second.run(SPOIL, 10)
    again = pool.exchange(second)
    assert again is first
    seen = again.run("ls -A . /tmp; jobs; echo $A", 10)
    assert seen.output == ".:\ndata\nhello.py\npackage\n\n/tmp:\n\n"
    assert again.limits_in_force.mechanism
    until(lambda: pool.counts.cleaned == 2)
    assert (pool.counts.started, pool.counts.replaced, pool.counts.missed) == (2, 0, 0)
    until(lambda: not hands())
    again.close()


def test_where_none_is_ready_the_used_one_is_cleaned_at_once(pooled: Callable[..., Pool]) -> None:
    pool = pooled()
    first = pool.take()
    until(lambda: pool.counts.ready == 1)
    second = pool.exchange(first)
    second.run(SPOIL, 10)
    third = pool.exchange(second)  # the first has only just been given back
    assert third.run("ls", 10).output == "data\nhello.py\npackage\n"
    assert pool.counts.missed == (third is second)
    third.close()


class Untidy(BubblewrapSandbox):
    """Says that it was reset, and was not wiped; only those of an odd number."""

    made = 0

    def __init__(self, spec: SandboxSpec) -> None:
        super().__init__(spec)
        Untidy.made += 1
        self.untidy = Untidy.made % 2 == 1

    def reset(self) -> None:
        if not self.untidy:
            super().reset()


def test_what_cannot_be_proven_clean_is_ended_and_replaced(pooled: Callable[..., Pool]) -> None:
    pool = pooled(Untidy)
    first = pool.take()
    assert isinstance(first, GuestSandbox)
    pids = first.pids()
    first.run("echo > left", 10)
    until(lambda: pool.counts.ready == 1)
    second = pool.exchange(first)
    until(lambda: pool.counts.ready == 1)
    assert pool.counts.replaced == 1
    assert "/workspace" in str(pool.why_replaced)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    third = pool.exchange(second)
    assert third is not first
    assert third.run("ls", 10).output == "data\nhello.py\npackage\n"
    third.close()


def test_a_spare_that_was_lost_is_not_handed_out(pooled: Callable[..., Pool]) -> None:
    pool = pooled()
    used = pool.take()
    until(lambda: pool.counts.ready == 1)
    (spare,) = pool._clean
    assert isinstance(spare, GuestSandbox)
    os.kill(spare.pids()[-2], signal.SIGKILL)
    until(lambda: not spare.seems_alive)
    used.run(SPOIL, 10)
    clean = pool.exchange(used)
    assert clean.run("ls; echo alive", 10).output == "data\nhello.py\npackage\nalive\n"
    until(lambda: pool.counts.ready == 1)
    clean.close()


def test_what_was_lost_while_it_was_used_is_started_anew(pooled: Callable[..., Pool]) -> None:
    pool = pooled()
    used = pool.take()
    assert isinstance(used, GuestSandbox)
    until(lambda: pool.counts.ready == 1)
    os.kill(used.pids()[-2], signal.SIGKILL)
    clean = pool.exchange(used)
    until(lambda: pool.counts.ready == 1)
    last = pool.exchange(clean)
    assert last.run("echo alive", 10).output == "alive\n"
    last.close()


def test_a_spare_that_cannot_be_started_is_an_error_of_the_next_call_and_tried_again(
    pooled: Callable[..., Pool], spec: SandboxSpec, tmp_path: Path
) -> None:
    folders = [spec.workspace, tmp_path / "missing", spec.workspace, spec.workspace]
    pool = pooled(lambda spec: BubblewrapSandbox(replace(spec, workspace=folders.pop(0))))
    used = pool.take()
    until(lambda: not hands())
    assert pool.counts.ready == 0
    with pytest.raises(SandboxError, match="find source path") as raised:
        pool.exchange(used)
    assert raised.value.__notes__ == ["while a pool made a spare sandbox ready"]
    with pytest.raises(SandboxError, match="not running"):
        used.run("true", 1)
    last = pool.take()
    until(lambda: pool.counts.ready == 1)
    last.close()


def test_no_more_are_kept_than_wanted_and_close_ends_all(pooled: Callable[..., Pool]) -> None:
    pool = pooled(spares=2)
    taken = [pool.take(), pool.take()]
    until(lambda: pool.counts.ready == 2)
    spares = list(pool._clean)
    pids = [pid for box in (*taken, *spares) if isinstance(box, GuestSandbox) for pid in box.pids()]
    pool.give_back(taken[0])
    with pytest.raises(SandboxError):
        taken[0].run("true", 1)
    last = pool.exchange(taken[1])  # a hand is at work when the pool is closed
    pool.close()
    pool.close()
    assert not hands()
    pool.give_back(last)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_process_that_just_ends_leaves_nothing_and_is_not_held_up(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LEAVER, str(tmp_path)], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - began < 30

    def gone() -> bool:
        found = Path("/proc").glob("[0-9]*/cmdline")
        return not any(str(tmp_path).encode() in text for text in map(_read, found))

    until(gone)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_sandboxes_of_one_kind_share_a_pool(spec: SandboxSpec) -> None:
    pools = Pools(1)
    same = replace(spec, limits=replace(spec.limits))
    first = pools.of("bubblewrap", BubblewrapSandbox, spec)
    assert pools.of("bubblewrap", BubblewrapSandbox, same) is first
    assert pools.of("bubblewrap", BubblewrapSandbox, replace(spec, label="other")) is not first
    assert pools.of("docker", BubblewrapSandbox, spec) is not first
    assert pools.counts.started == 0


@pytest.mark.parametrize("spares", [-1, 1.5, "2", None])
def test_a_number_of_spares_is_wanted(spares: object) -> None:
    with pytest.raises(ConfigError, match="pool: found"):
        Pools(spares)  # type: ignore[arg-type]
