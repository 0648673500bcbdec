"""The host's own hands on a bubblewrap sandbox's shell, and where the guest steps in."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.errors import SandboxError
from mlgym.sandbox.bubblewrap import BubblewrapSandbox
from mlgym.sandbox.conformance import conformance_spec


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[BubblewrapSandbox]:
    with BubblewrapSandbox(conformance_spec(tmp_path)) as started:
        yield started


@pytest.fixture
def guest(sandbox: BubblewrapSandbox) -> int:
    pid: int = sandbox._launcher._guest_pid  # type: ignore[attr-defined]
    return pid


def test_a_plain_command_needs_no_word_of_the_guest(sandbox: BubblewrapSandbox, guest: int) -> None:
    os.kill(guest, signal.SIGSTOP)
    try:
        assert sandbox.run("cd package; A=1; echo hi", 5).output == "hi\n"
        assert (
            sandbox.run("pwd; echo $A; ls; exit_code() { return 7; }; exit_code", 5).exit_code == 7
        )
    finally:
        os.kill(guest, signal.SIGCONT)
    assert sandbox.read("module.py", 100) == b"value = 1\n"


def test_a_late_command_loses_nothing_that_it_said(sandbox: BubblewrapSandbox) -> None:
    result = sandbox.run("seq 1000; sleep 0.3; seq 1000; sleep 60", 0.6)
    assert result.timed_out
    numbers = result.output.split("[no end")[0].split()
    assert numbers == [str(number) for number in [*range(1, 1001), *range(1, 1001)]]


def test_output_is_cut_the_same_way_whoever_reads_it(sandbox: BubblewrapSandbox) -> None:
    command = "seq 200000"
    direct = sandbox.run(command, 20)
    assert direct.truncated
    sandbox.run("sleep 1000 >/dev/null 2>&1 &", 5)  # the guest has to continue it
    assert sandbox.run(command, 20).output == direct.output


def test_what_is_left_running_is_stopped_and_then_the_guest_runs_commands(
    sandbox: BubblewrapSandbox, guest: int
) -> None:
    sandbox.run("(while :; do echo x >> /tmp/ticks; sleep 0.01; done) >/dev/null 2>&1 &", 5)
    ticks = len(sandbox.read("/tmp/ticks", 10_000)) if sandbox.run("sleep 0.2", 5) else 0
    time.sleep(0.3)
    assert len(sandbox.read("/tmp/ticks", 10_000)) == ticks
    sandbox.run("kill %1; wait", 5)
    # The job's own `sleep` may outlive it, and stands still until the next command.
    assert sandbox.run("sleep 0.2; echo alive", 5).output == "alive\n"
    os.kill(guest, signal.SIGSTOP)
    try:
        assert sandbox.run("echo direct again", 5).output == "direct again\n"
    finally:
        os.kill(guest, signal.SIGCONT)


def test_an_interrupted_wait_leaves_a_usable_sandbox(sandbox: BubblewrapSandbox) -> None:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            sandbox.run("A=1; sleep 60", 60)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert sandbox.read("hello.py", 100).startswith(b"print")
    result = sandbox.run("echo [$A]", 5)
    assert result.restarted
    assert result.output.startswith("[]\n")
    assert sandbox.run("echo alive", 5).output == "alive\n"


def test_a_command_that_closes_its_output_is_waited_for(sandbox: BubblewrapSandbox) -> None:
    result = sandbox.run("echo a; exec >/dev/null 2>&1; sleep 0.2; (exit 3)", 5)
    assert (result.output, result.exit_code, result.timed_out) == ("a\n", 3, False)
    assert sandbox.run("echo alive", 5).output == "alive\n"


def test_resets_and_restarts_let_go_of_the_pipes_before(sandbox: BubblewrapSandbox) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of names, not of paths

    sandbox.run("true", 5)
    before = count()
    for _ in range(5):
        sandbox.reset()
        sandbox.run("exit 3", 5)
        sandbox.run("sleep 100 &", 5)
    assert count() == before
    sandbox.close()
    assert count() < before


def test_a_short_text_after_a_longer_one_of_the_guests_is_all_that_runs(
    sandbox: BubblewrapSandbox,
) -> None:
    assert sandbox.run("true", 5).exit_code == 0
    sandbox.run("sleep 100 &", 5)
    # While that is left the guest runs the commands itself.
    assert sandbox.run("kill %1; wait; echo once; echo of a text that is long", 5).output
    assert sandbox.run("echo then", 5).output == "then\n"
    assert sandbox.run("echo then; echo more", 5).output == "then\nmore\n"


def test_a_shell_that_lost_its_aliases_is_told_the_whole_and_asked_no_more(
    sandbox: BubblewrapSandbox, guest: int
) -> None:
    sandbox.run("unalias -a; alias", 5)
    os.kill(guest, signal.SIGSTOP)
    try:
        assert sandbox.run("A=1; echo $#", 5).output == "0\n"
        assert sandbox.run("declare B=2; echo $A", 5).output == "1\n"
        assert sandbox.run("echo $B", 5).output == "2\n"
    finally:
        os.kill(guest, signal.SIGCONT)


def test_an_alias_in_the_place_of_ours_lasts_no_longer_than_the_episode(
    sandbox: BubblewrapSandbox,
) -> None:
    sandbox.run("alias @_='echo mine'", 5)
    assert sandbox.run("echo hi", 5).output == ""
    sandbox.reset()
    assert sandbox.run("echo hi", 5).output == "hi\n"


def test_too_few_descriptors_are_named_as_what_is_missing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = len([*Path("/proc/self/fd").iterdir()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (held + 40, hard))
    boxes: list[BubblewrapSandbox] = []

    def start_many() -> None:
        for number in range(10):
            folder = tmp_path / str(number)
            folder.mkdir()
            boxes.append(BubblewrapSandbox(conformance_spec(folder)))
            boxes[-1].start()

    try:
        with pytest.raises(SandboxError, match="Too many open files"):
            start_many()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for box in boxes:
            box.close()


def test_a_sandbox_whose_bwrap_was_killed_still_knows_its_processes(
    sandbox: BubblewrapSandbox, guest: int
) -> None:
    os.kill(sandbox.pids()[0], signal.SIGKILL)
    assert sandbox.run("echo on", 5).output == "on\n"
    assert guest in sandbox.pids()
