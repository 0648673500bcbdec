"""Many strands in one loop: whatever a sandbox's host end waits for."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mlgym.sandbox import waiting
from mlgym.sandbox.strands import Loop
from mlgym.sandbox.waiting import Readiness


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_waits_overlap_and_results_come_in_the_order_asked(loop: Loop) -> None:
    def wait(seconds: float) -> float:
        waiting.pause(seconds)
        return seconds

    began = time.monotonic()
    assert loop.gather([partial(wait, 0.2), partial(wait, 0.1), partial(wait, 0.15)]) == [
        0.2,
        0.1,
        0.15,
    ]
    assert 0.2 <= time.monotonic() - began < 0.35


def test_the_first_ones_error_is_raised_once_all_have_ended(loop: Loop) -> None:
    ended: list[str] = []

    def fail(words: str, seconds: float) -> None:
        waiting.pause(seconds)
        ended.append(words)
        raise ValueError(words)

    with pytest.raises(ValueError, match="first"):
        loop.gather([partial(fail, "first", 0.05), partial(fail, "second", 0.01)])
    assert ended == ["second", "first"]


@pytest.mark.parametrize("within", [True, False])
def test_input_a_process_and_a_lock_are_waited_for_alike_within_a_strand_and_without(
    loop: Loop, tmp_path: Path, within: bool
) -> None:
    def all_of_it() -> tuple[bool, bool, bool, bool]:
        read, write = os.pipe()
        nothing = waiting.wait_readable(read, 0.01)
        os.write(write, b"x")
        something = bool(Readiness(read).wait(5.0))
        os.close(read)
        os.close(write)
        with subprocess.Popen(["sleep", "0.05"]) as process:
            early = waiting.wait_ended(process, 0.001)
            ended = waiting.wait_ended(process, 5.0)
        with waiting.locked(tmp_path / "lock"):
            return nothing, something, early, ended

    found = loop.gather([all_of_it])[0] if within else all_of_it()
    assert found == (False, True, False, True)


def test_a_lock_that_another_strand_holds_is_waited_for(loop: Loop, tmp_path: Path) -> None:
    said: list[str] = []

    def hold(name: str) -> None:
        with waiting.locked(tmp_path / "lock"):
            said.append(f"{name} in")
            waiting.pause(0.03)
            said.append(f"{name} out")

    loop.gather([partial(hold, "a"), partial(hold, "b")])
    assert said == ["a in", "a out", "b in", "b out"]


def test_a_slow_taker_holds_up_only_who_sends_to_it(loop: Loop) -> None:
    near, far = socket.socketpair()
    near.settimeout(5.0)
    data = bytes(4 << 20)
    order: list[str] = []

    def send() -> None:
        waiting.send_all(near, data)
        order.append("sent")

    def take() -> int:
        order.append("begun")
        taken = 0
        while taken < len(data) and waiting.wait_readable(far.fileno(), 5.0):
            taken += len(far.recv(1 << 20))
        return taken

    with near, far:
        assert loop.gather([send, take])[1] == len(data)
    assert order == ["begun", "sent"]


def test_what_is_ended_cleans_up_first(loop: Loop) -> None:
    cleaned: list[str] = []

    def work(name: str) -> None:
        try:
            waiting.pause(60.0)
        finally:
            waiting.pause(0.01)
            cleaned.append(name)

    works: list[Callable[[], None]] = [partial(work, "a"), partial(work, "b")]

    def interrupt() -> None:
        waiting.pause(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.gather([*works, interrupt])
    assert sorted(cleaned) == ["a", "b"]
    loop.begin(works[0])
    loop.close()
    loop.close()
    assert sorted(cleaned) == ["a", "a", "b"]


def test_a_kept_descriptor_is_seen_by_whichever_loop_waits_and_not_once_it_is_closed(
    loop: Loop,
) -> None:
    begin, end = os.pipe()
    kept = Readiness(begin, keep=True)

    def heard() -> bytes:
        assert kept.wait(5)
        return os.read(begin, 10)

    def twice(among: Loop) -> list[bytes]:
        said: list[bytes] = []
        for word in (b"a", b"b"):
            among.begin(lambda: said.append(heard()))
            os.write(end, word)
            among.turn(5)
        return said

    assert twice(loop) == [b"a", b"b"]
    other = Loop()
    assert twice(other) == [b"a", b"b"]
    assert twice(loop) == [b"a", b"b"]
    # Nobody waits: seen once, and looked at no more.
    os.write(end, b"c")
    loop.turn(5)
    began = time.monotonic()
    loop.turn(0.05)
    assert time.monotonic() - began >= 0.05
    assert heard() == b"c"
    kept.close()
    other.close()
    # Its number is another pipe's now, as a copy keeps the first one from being forgotten.
    copy = os.dup(begin)
    again, other_end = os.pipe()
    os.dup2(again, begin)
    fresh = Readiness(begin, keep=True)
    answers: list[object] = []
    loop.begin(lambda: answers.append(fresh.wait(5)))
    os.write(other_end, b"d")
    loop.turn(5)
    assert answers == [[(begin, select.POLLIN)]]
    fresh.close()
    for fd in (begin, end, copy, again, other_end):
        os.close(fd)
