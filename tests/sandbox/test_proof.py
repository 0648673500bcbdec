"""What a look at a sandbox must find before it is called clean, by the host and from inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.conformance import conformance_spec
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.proof import difference, look

TRACES = {
    "a file": ("echo > /workspace/new; touch -d @1700000000 .", "/workspace/new"),
    "a file elsewhere": ("echo > /dev/shm/.new; touch -d @1700000000 /dev/shm", "/dev/shm/.new"),
    "other content of the same size and time": (
        "sed -i s/hello/hullo/ hello.py; touch -d @1700000000 hello.py . ",
        "hello.py",
    ),
    "a time": ("touch package", "/workspace/package"),
    "a mode": ("chmod 777 /tmp", "drwxrwxrwx 1700000000000000000 /tmp"),
    "a link": ("ln -s /etc/passwd /home/agent/link; touch -d @1700000000 /home/agent", "link"),
    "a file that is gone": ("rm -r package; touch -d @1700000000 .", "/workspace/package"),
    "a process": ("sleep 1000 >/dev/null 2>&1 &", "processes: "),
    "a nice value": ("renice -n 7 $$ >/dev/null", "nice: 7"),
    "a limit": ("ulimit -s 4096", "Max stack size 4194304"),
    "a mask of files": ("umask 077", "Umask: 0077"),
    "an ignored signal": ("trap '' USR1", "SigIgn: "),
    "a tree that goes on and on": (
        "mkdir -p $(printf 'd/%.0s' {1..90}); touch -d @1700000000 .",
        "/workspace/d",
    ),
}


@pytest.fixture(
    scope="module", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
)
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GuestSandbox]:
    spec = conformance_spec(tmp_path_factory.mktemp("proof"))
    with load_backend(request.param)(spec) as sandbox:
        assert isinstance(sandbox, GuestSandbox)
        yield sandbox


@pytest.fixture
def sandbox(started: GuestSandbox) -> GuestSandbox:
    started.reset()
    return started


def test_every_trace_of_an_episode_is_seen_until_the_reset(sandbox: GuestSandbox) -> None:
    clean = look(sandbox)
    assert difference(clean, look(sandbox, clean)) is None
    for name, (command, expected) in TRACES.items():
        sandbox.run(command, 10)
        found = difference(clean, look(sandbox, clean))
        assert found is not None, name
        assert expected in found, name
        sandbox.reset()
        assert difference(clean, look(sandbox, clean)) is None, name


def test_where_the_host_sees_nothing_a_program_inside_does(
    sandbox: GuestSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "pids", list)
    clean = look(sandbox)
    assert len(clean.lines) > 20
    for name in ("a file", "a process"):
        command, expected = TRACES[name]
        sandbox.run(command, 10)
        assert expected in str(difference(clean, look(sandbox, clean)))
        sandbox.reset()
    assert difference(clean, look(sandbox, clean)) is None


def test_looking_leaves_no_trace_itself(sandbox: GuestSandbox) -> None:
    look(sandbox)
    found = sandbox.run("stat -c %X . hello.py package/module.py /tmp; ls -A /tmp; jobs", 10)
    assert found.output == "1700000000\n" * 4


def test_more_cores_than_a_new_one_has_are_seen(
    tmp_path: Path, bound: Callable[[GuestSandbox, set[int]], None]
) -> None:
    with load_backend("bubblewrap")(conformance_spec(tmp_path)) as sandbox:
        assert isinstance(sandbox, GuestSandbox)
        clean = look(sandbox)
        bound(sandbox, os.sched_getaffinity(0))
        cores = len(os.sched_getaffinity(0))
        expected = None if cores == 1 else f"it may run on {cores} cores, expected 1"
        assert difference(clean, look(sandbox, clean)) == expected


@pytest.fixture
def bound() -> Callable[[GuestSandbox, set[int]], None]:
    """Binds all of a sandbox's processes to other cores."""

    def bind(sandbox: GuestSandbox, cores: set[int]) -> None:
        for pid in sandbox.pids():
            os.sched_setaffinity(pid, cores)

    return bind
