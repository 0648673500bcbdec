"""What is bubblewrap's own: owners that die, threads that end, what is lost and found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlgym.errors import SandboxError
from mlgym.sandbox import seccomp, slots
from mlgym.sandbox.bubblewrap import BubblewrapSandbox, _in_force, reap
from mlgym.sandbox.bwrap import find_bwrap
from mlgym.sandbox.cgroups import Group
from mlgym.sandbox.conformance import conformance_spec

OWNER = """
import sys, time
from pathlib import Path
from mlgym.sandbox.bubblewrap import BubblewrapSandbox
from mlgym.sandbox.conformance import conformance_spec
sandbox = BubblewrapSandbox(conformance_spec(Path(sys.argv[1])))
sandbox.start()
sandbox.run("sleep 1000 >/dev/null 2>&1 &", 5)
print("started", flush=True)
sandbox.run("sleep 1000", 1000)
"""


def processes_with(text: str) -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in command:
                found.append(int(folder.name))
    return found


def wait_until(what: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not processes_with(what):
            return True
        time.sleep(0.05)
    return False


def run_many(sandbox: BubblewrapSandbox) -> None:
    for _ in range(1000):
        sandbox.run("true", 10)


def test_nothing_is_acquired_before_start(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(conformance_spec(tmp_path))
    with pytest.raises(SandboxError, match="start"):
        sandbox.run("true", 1)
    sandbox.close()
    sandbox.close()


def test_a_sandbox_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(conformance_spec(tmp_path))
    thread = threading.Thread(target=sandbox.start)
    thread.start()
    thread.join()
    try:
        assert sandbox.run("echo alive", 10).output == "alive\n"
    finally:
        sandbox.close()


def test_a_lost_guest_is_a_sandbox_error_and_reset_starts_anew(tmp_path: Path) -> None:
    with BubblewrapSandbox(conformance_spec(tmp_path)) as sandbox:
        sandbox.run("echo > kept", 10)
        os.kill(sandbox._launcher._guest_pid, signal.SIGKILL)  # type: ignore[attr-defined]
        # A command may still end before the signal has arrived.
        with pytest.raises(SandboxError, match="lost"):
            run_many(sandbox)
        with pytest.raises(SandboxError, match="lost"):
            sandbox.read("hello.py", 100)
        sandbox.reset()
        assert sandbox.run("ls", 10).output == "data\nhello.py\npackage\n"


def test_nothing_outlives_an_owner_that_was_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "started\n"
    assert processes_with(str(tmp_path))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert wait_until(str(tmp_path), 5.0), "bwrap still runs 5 s after its owner was killed"
    reap()
    assert not [line for line in reap() if "conformance" in line]


def test_two_sandboxes_are_two_users_in_two_slots() -> None:
    first, second = slots.acquire(), slots.acquire()
    try:
        assert first.uid != second.uid
    finally:
        first.release()
        second.release()
        first.release()


def test_a_part_of_a_core_that_a_control_group_holds_is_the_limit_in_force(tmp_path: Path) -> None:
    spec = conformance_spec(tmp_path)
    spec = replace(spec, limits=replace(spec.limits, cpus=1.5))
    held = Group(tmp_path, {"cpus": "cgroup v2 cpu.max, for the whole sandbox"})
    assert _in_force(spec, 2, held, "").cpus == 1.5
    assert _in_force(spec, 1, held, "").cpus == 1.0
    assert _in_force(spec, 2, None, "none is delegated").cpus == 2.0


def test_a_program_that_fails_to_start_explains_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("mlgym.sandbox.bubblewrap.find_bwrap", lambda: broken)
    (tmp_path / "spec").mkdir()
    with pytest.raises(SandboxError, match="--sandbox docker"):
        BubblewrapSandbox(conformance_spec(tmp_path / "spec")).start()


def test_the_program_comes_with_the_package() -> None:
    version = subprocess.run(
        [find_bwrap(), "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("bubblewrap 0.")


def test_filters_are_whole_instructions_for_known_machines_only() -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(seccomp.program(machine)) % 8 == 0
    with pytest.raises(SandboxError, match="riscv64"):
        seccomp.program("riscv64")


def test_denied_calls_fail_inside(tmp_path: Path) -> None:
    program = (
        "import ctypes, socket\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "calls = ((101, 0, 1, 0, 0), (250, 0, 0, 0), (321, 0, 0, 0), (272, 0x10000000))\n"
        "for call, *arguments in calls:\n"
        "    print(libc.syscall(call, *arguments), ctypes.get_errno())\n"
        "try:\n"
        "    socket.socket(socket.AF_VSOCK)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    with BubblewrapSandbox(conformance_spec(tmp_path)) as sandbox:
        sandbox.write("calls.py", program.encode())
        assert sandbox.run("python calls.py", 20).output == "-1 1\n" * 4 + "97\n"


def test_the_root_folder_carries_a_fixed_time(tmp_path: Path) -> None:
    with BubblewrapSandbox(conformance_spec(tmp_path)) as sandbox:
        listed = sandbox.run("stat -c '%Y %n' / /etc /opt /workspace /tmp /home/agent", 10).output
        assert {line.split()[0] for line in listed.splitlines()} == {"1700000000"}
