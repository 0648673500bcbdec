"""A sandbox's processes as the host sees them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.conformance import conformance_spec
from mlgym.sandbox.docker_client import visible_pids
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.pids import descendants


def commands(pids: list[int]) -> list[str]:
    found = (Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
    return [text.replace(b"\0", b" ").decode().strip() for text in found]


def test_the_guest_and_all_that_runs_inside_are_seen(tmp_path: Path, backend: str) -> None:
    sandbox = load_backend(backend)(conformance_spec(tmp_path))
    assert isinstance(sandbox, GuestSandbox)
    assert sandbox.pids() == []
    with sandbox:
        sandbox.run("true", 10)  # until its first command a shell may not have become bash yet
        assert len([text for text in commands(sandbox.pids()) if "bash --norc" in text]) == 1
        # Its parent ends before it: what is orphaned is the guest's.
        sandbox.run("(setsid sleep 1234 >/dev/null 2>&1 &); sleep 0.3", 10)
        found = commands(sandbox.pids())
        assert "sleep 1234" in found
        assert [text for text in found if "guest.server" in text]
        sandbox.reset()
        assert "sleep 1234" not in commands(sandbox.pids())
        pids = sandbox.pids()
    assert sandbox.pids() == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_descendants_are_listed_after_their_parents_and_nothing_else_is() -> None:
    shell = subprocess.Popen(
        ["bash", "-c", "sleep 1000 & sleep 1001 & echo; wait"], stdout=subprocess.PIPE
    )
    other = subprocess.Popen(["sleep", "1002"])
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        found = descendants(shell.pid)
        assert found[0] == shell.pid
        assert len(found) == 3
        assert set(found) < set(descendants(os.getpid()))
        assert other.pid not in found
    finally:
        for pid in descendants(shell.pid)[::-1]:
            os.kill(pid, 9)
        other.kill()
        shell.wait()
        other.wait()
        shell.stdout.close()
    assert descendants(shell.pid) == []


def test_a_daemon_s_pid_that_is_another_process_here_is_not_taken_for_the_container() -> None:
    def container(path: str, *arguments: str) -> SimpleNamespace:
        attrs = {"State": {"Pid": os.getpid()}, "Path": path, "Args": list(arguments)}
        return SimpleNamespace(attrs=attrs, reload=lambda: None)

    own = Path("/proc/self/cmdline").read_bytes().decode().split("\0")[:-1]
    assert visible_pids(container("python3", "-c", "guest")) == []
    assert os.getpid() in visible_pids(container(*own))
