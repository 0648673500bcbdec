"""What every sandbox backend must do: one suite, run against each.

Each check is a function of a started sandbox, made from `conformance_spec` and freshly reset. It
returns nothing, or raises `ConformanceError` with what was expected and what was found.

This file is longer than 300 lines because it is one list, which reads best in one place.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlgym.errors import MLGymError
from mlgym.sandbox.base import MB, Limits, Sandbox, SandboxSpec
from mlgym.types import ExecResult

Check = Callable[[Sandbox], None]
SECRET = "conformance-secret"
"""Put this into the host's environment and into files that are not mounted: nothing may see it."""
LIMITS = Limits(
    cpus=1.0,
    memory_bytes=1024 * MB,
    processes=200,
    disk_bytes=32 * MB,
    open_files=512,
    flood_bytes=16 * MB,
)


class ConformanceError(MLGymError):
    """A backend does not do what every sandbox must."""


def conformance_spec(folder: Path, image: str = "base", network: bool = False) -> SandboxSpec:
    """A small workspace with a read-only mount, written below the empty host folder `folder`."""
    workspace, data = folder / "workspace", folder / "data"
    (workspace / "package").mkdir(parents=True)
    (workspace / "hello.py").write_text("print('hello')\n")
    (workspace / "package" / "module.py").write_text("value = 1\n")
    data.mkdir()
    (data / "train.csv").write_text("a,b\n1,2\n")
    (folder / "secret.txt").write_text(SECRET)
    return SandboxSpec(
        image=image,
        workspace=workspace,
        mounts=((data, "/workspace/data"),),
        limits=replace(LIMITS),
        network=network,
        label="conformance",
    )


def expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise ConformanceError(f"{what}: expected {wanted!r}, found {found!r}")


def says(sandbox: Sandbox, command: str, output: str, timeout: float = 20.0) -> ExecResult:
    result = sandbox.run(command, timeout)
    expect(result.output, output, f"output of {command!r}")
    return result


def usable(sandbox: Sandbox) -> None:
    """The next command answers as if nothing had been."""
    result = says(sandbox, "echo alive", "alive\n")
    expect((result.exit_code, result.timed_out), (0, False), "a command after all that")


def contains(text: str, part: str, what: str) -> None:
    if part not in text:
        raise ConformanceError(f"{what}: {part!r} is not in {text[:2000]!r}")


def check_the_shell_keeps_its_state(box: Sandbox) -> None:
    box.run("cd package; export A=1; B=2; f() { echo F$1; }; alias g='echo G'", 10)
    says(box, "pwd; echo $A$B; f 3; g", "/workspace/package\n12\nF3\nG\n")
    expect(box.run("(exit 7)", 10).exit_code, 7, "exit code of a subshell")
    expect(box.run("false", 10).exit_code, 1, "exit code of false")


def check_a_shell_may_lose_its_aliases(box: Sandbox) -> None:
    losses = (
        "unalias -a",
        "shopt -u expand_aliases",
        "set -o posix; unalias -a",
        "BASH_ALIASES=()",
    )
    for command in losses:
        box.run(command, 10)
        says(box, "declare LATE=1; echo ok $#", "ok 0\n")
        says(box, "echo $LATE; unset LATE; set +o posix", "1\n")
    box.run("TIMES=0", 10)
    says(box, "TIMES=$((TIMES + 1)); unalias -a; echo $TIMES", "1\n")
    says(box, "IFS=012; echo alone", "alone\n")
    usable(box)


def check_output_is_both_streams_in_order(box: Sandbox) -> None:
    says(box, "echo a; echo b >&2; echo c", "a\nb\nc\n")
    says(box, "printf 'no newline'", "no newline")
    says(box, "printf 'caf\\xc3\\xa9 \\xff\\n'", "café \ufffd\n")


def check_what_exec_does_to_output_ends_with_its_command(box: Sandbox) -> None:
    box.run("exec >/tmp/mine 2>&1; echo a", 10)
    says(box, "cat /tmp/mine; echo b >&2", "a\nb\n")
    box.run("exec >&- 2>&-", 10)
    says(box, "echo c; nosuch", "c\n/run/sh/bash: line 1: nosuch: command not found\n")
    # The shell's input is its own affair, as in any shell.
    box.run("printf 'd\\ne\\n' > /tmp/mine; exec </tmp/mine", 10)
    says(box, "read x; echo $x", "d\n")
    says(box, "read x; echo $x; exec </dev/null", "e\n")
    usable(box)


def check_readers_of_stdin_see_its_end(box: Sandbox) -> None:
    for command in ("cat", "python", "read x", "bash"):
        result = box.run(command, 10)
        expect(result.timed_out, False, f"{command!r} waits for input")
    usable(box)


def check_a_shell_that_ends_is_replaced(box: Sandbox) -> None:
    for command, code in (
        ("exit 3", 3),
        ("kill -9 $$", 137),
        ("exec sh -c 'exit 4'", 4),
        ("set -e; false", 1),
    ):
        result = box.run(command, 10)
        expect((result.restarted, result.exit_code), (True, code), f"after {command!r}")
        contains(result.output, "new one was started", f"after {command!r}")
        usable(box)


def check_errors_are_plain_failures(box: Sandbox) -> None:
    for command, words in (
        ("if then (", "syntax error"),
        ("return 1 2", "too many arguments"),
        ("exit 1 2", "too many arguments"),
        ("f() { shift 1 2; }; f", "too many arguments"),
        ("echo $((1/0))", "division by 0"),
    ):
        result = box.run(command, 10)
        expect((result.restarted, result.timed_out), (False, False), f"after {command!r}")
        expect(result.exit_code in (1, 2), True, f"a status of {command!r}: {result.exit_code}")
        contains(result.output, words, f"the output of {command!r}")
        usable(box)


def check_time_outs_are_noticed_and_leave_a_usable_shell(box: Sandbox) -> None:
    box.run("KEPT=yes", 10)
    result = box.run("echo before; sleep 60; echo after", 0.5)
    expect((result.timed_out, result.exit_code), (True, 124), "a sleeping command")
    contains(result.output, "before\n", "output before the time-out")
    says(box, "echo $KEPT", "yes\n")
    stubborn = "python -c 'import signal,time; signal.signal(2, signal.SIG_IGN); time.sleep(60)'"
    expect(box.run(stubborn, 0.5).timed_out, True, "a command that ignores SIGINT")
    says(box, "echo $KEPT", "yes\n")
    result = box.run("while :; do :; done", 0.5)
    expect((result.timed_out, result.restarted), (True, True), "a busy shell")
    usable(box)


def check_long_output_is_cut_in_the_middle(box: Sandbox) -> None:
    result = box.run("echo head; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo tail", 30)
    expect(result.truncated, True, "truncated")
    if len(result.output) > LIMITS.output_bytes + 200:
        raise ConformanceError(f"{len(result.output)} characters of output were kept")
    contains(result.output, "head\n", "cut output")
    contains(result.output, "\ntail\n", "cut output")
    contains(result.output, "bytes cut", "cut output")


def check_a_flood_is_stopped(box: Sandbox) -> None:
    started = time.monotonic()
    result = box.run("yes", 60)
    expect(result.truncated, True, "truncated")
    contains(result.output, "bytes of output", "a flood's end")
    if time.monotonic() - started > 30:
        raise ConformanceError("a flood was not stopped before its time-out")
    usable(box)


def check_one_very_long_line_and_binary_output(box: Sandbox) -> None:
    box.run("head -c 10000000 /dev/zero", 30)
    usable(box)
    box.run("head -c 100000 /dev/urandom", 30)
    usable(box)


def check_background_jobs_do_not_hold_a_command(box: Sandbox) -> None:
    started = time.monotonic()
    result = box.run("sleep 30 & echo started", 10)
    if time.monotonic() - started > 5:
        raise ConformanceError("a background job held its command")
    contains(result.output, "started\n", "a command with a background job")
    usable(box)


def check_background_jobs_stand_still_between_commands(box: Sandbox) -> None:
    count = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.01; done"
    box.run(f"( {count} ) >/dev/null 2>&1 &", 10)
    box.run("sleep 0.3", 10)
    before = box.read("/tmp/count", 100)
    time.sleep(0.5)
    expect(box.read("/tmp/count", 100), before, "a background job between commands")
    box.run("sleep 0.5", 10)
    if box.read("/tmp/count", 100) == before:
        raise ConformanceError("a background job did not go on with the next command")


def check_a_fork_bomb_ends_in_a_usable_shell(box: Sandbox) -> None:
    box.run("bomb() { bomb | bomb & }; bomb; sleep 60", 2)
    box.reset()
    usable(box)


def check_a_full_disk_is_the_commands_problem(box: Sandbox) -> None:
    result = box.run("head -c 100000000 /dev/zero > big", 60)
    contains(result.output, "No space left", "writing beyond the disk")
    try:
        box.write("small.bin", b"x" * 100_000)
    except OSError:
        box.run("rm big", 10)
    usable(box)


def check_memory_is_limited(box: Sandbox) -> None:
    result = box.run("python -c 'x = bytearray(3 * 1024**3); print(len(x))'", 60)
    if result.exit_code == 0:
        raise ConformanceError("3 GiB were had where 1 GiB is the limit")
    usable(box)


def check_cores_are_limited(box: Sandbox) -> None:
    cores = "import os; print(len(os.sched_getaffinity(0)))"
    allowed = box.limits_in_force.cpus
    if allowed is None or "cpus" not in box.limits_in_force.mechanism:
        raise ConformanceError(f"no limit on cores is in force: {box.limits_in_force}")
    burn = "timeout 1 sh -c 'while :; do :; done'"
    result = box.run(f"python -c '{cores}'; time ( {burn} & {burn} & {burn} & {burn} & wait )", 30)
    spent = re.findall(r"(?:user|sys)\s+(\d+)m([\d.]+)s", result.output)
    seconds = sum(60 * int(minutes) + float(rest) for minutes, rest in spent)
    if not spent or seconds > 1.5 * allowed + 0.5:
        raise ConformanceError(f"{seconds} s of processor in about 1 s, {allowed} cores allowed")


def check_limits_are_told(box: Sandbox) -> None:
    limits = box.limits_in_force
    for name in ("memory_bytes", "processes", "disk_bytes"):
        if getattr(limits, name) is None or name not in limits.mechanism:
            raise ConformanceError(f"limits_in_force does not tell of {name}: {limits}")


def check_files_are_read_and_written_as_the_agent(box: Sandbox) -> None:
    box.write("new/deep/file.bin", bytes(range(256)))
    expect(box.read("new/deep/file.bin", 1000), bytes(range(256)), "a file written and read")
    says(box, "stat -c %U new/deep/file.bin", "agent\n")
    box.run("cd new", 10)
    expect(len(box.read("deep/file.bin", 1000)), 256, "a path relative to the shell's folder")
    box.run("mkfifo /tmp/pipe; touch /tmp/closed; chmod 000 /tmp/closed", 10)
    for path, kind in (
        ("missing", FileNotFoundError),
        ("/workspace", IsADirectoryError),
        ("/tmp/pipe", OSError),
        ("/dev/zero", OSError),
        ("/tmp/closed", PermissionError),
        ("/workspace/new/deep/file.bin", OSError),
    ):
        try:
            box.read(path, 10)
        except kind:
            continue
        raise ConformanceError(f"reading {path} did not raise {kind.__name__}")


def check_mounts_and_system_are_read_only(box: Sandbox) -> None:
    says(box, "cat data/train.csv", "a,b\n1,2\n")
    for path in ("data/x", "/usr/bin/x", "/etc/x", "/opt/env/x", "/run/mlgym/guest/x", "/x"):
        result = box.run(f"echo x > {path}", 10)
        if result.exit_code == 0:
            raise ConformanceError(f"{path} could be written")


def check_export_takes_regular_files_only(box: Sandbox) -> None:
    box.run("mkdir out; echo 1 > out/a; echo 2 > out/b; ln -s /etc/passwd link; mkfifo out/p", 10)
    box.run("mkdir clean; echo 1 > clean/a", 10)
    with tarfile.open(fileobj=io.BytesIO(b"".join(box.export(["clean/", "hello.py"], MB)))) as tar:
        expect(sorted(tar.getnames()), ["clean/a", "hello.py"], "exported names")
    for path in ("link", "out/", "missing", "../etc/passwd"):
        try:
            b"".join(box.export([path], MB))
        except OSError:
            continue
        raise ConformanceError(f"{path} was exported")


def check_channels_carry_bytes_both_ways(box: Sandbox) -> None:
    channel = box.open(["cat"])
    sent = bytes(range(256)) * 8192
    channel.send(sent)
    channel.close_stdin()
    received = b""
    while piece := channel.recv(10):
        received += piece
    expect((len(received), received == sent), (len(sent), True), "bytes through a channel")
    expect(channel.status(10), 0, "a channel's status")
    channel = box.open(["sh", "-c", "echo oops >&2; sleep 60"])
    try:
        channel.recv(0.3)
    except TimeoutError:
        channel.kill()
    expect(channel.status(10), 137, "status of a killed channel")
    contains(channel.stderr, "oops", "a channel's stderr")
    expect(box.open(["no-such-program"]).status(10), 127, "status of a missing program")


def check_a_channel_tells_the_processor_time_of_its_process(box: Sandbox) -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)"
    channel = box.open(["python", "-c", f"{busy}\ntime.sleep(0.5); print('slept')"])
    channel.recv(30)
    spent = channel.cpu_s
    expect(0.5 <= spent < 0.8, True, f"{spent} s of processor time after 0.5 s of work")
    channel.recv(30)
    expect(channel.cpu_s - spent < 0.2, True, "no processor time for sleep")


def check_reset_leaves_nothing(box: Sandbox) -> None:
    mess = (
        "cd /tmp; A=1; sleep 100 & mkdir -p x/y/z /home/agent/.c; chmod 000 x/y;"
        " echo 1 > /workspace/hello.py; rm -r /workspace/package; echo 1 > /dev/shm/f;"
        " d=/workspace; for i in $(seq 300); do d=$d/d; mkdir $d; done"
    )
    box.run(mess, 20)
    box.reset()
    says(
        box,
        "pwd; echo [$A]; cat hello.py; ls /tmp /dev/shm",
        "/workspace\n[]\nprint('hello')\n/dev/shm:\n\n/tmp:\n",
    )
    says(box, "find . -type f | sort", "./data/train.csv\n./hello.py\n./package/module.py\n")
    expect(box.run("ls -A /home/agent", 10).output, "", "the home folder after a reset")
    expect(box.run("pgrep sleep || ls -d /proc/[0-9]*/ | wc -l", 10).exit_code, 0, "processes")


def check_what_was_saved_comes_back(box: Sandbox) -> None:
    box.run(
        "cd package; export A='x\ny'; B=(1 '2 3'); f() { echo \"f $1\"; }; alias g='echo G';"
        " set -u; umask 027; mkdir -p /tmp/a/b; echo 1 > /tmp/a/b/c; ln /tmp/a/b/c /tmp/hard;"
        " ln -s nowhere /tmp/soft; mkfifo /tmp/pipe; echo 2 > closed; chmod 0 closed /tmp/a/b;"
        " touch -d @5 /tmp/hard; rm /workspace/hello.py; sleep 100 &",
        20,
    )
    look = (
        'pwd; echo "$A" "${B[1]}"; f 3; g; umask; set -o | grep nounset; chmod 700 /tmp/a/b;'
        " find /workspace /tmp /home/agent -printf '%p %m %s %T@ %n %l\\n' | sort; chmod 0 /tmp/a/b"
    )
    saved = b"".join(box.save())
    before = box.run(look, 20).output
    contains(before, "/workspace/package\nx\ny 2 3\nf 3\nG\n0027\n", "a shell that was saved")
    box.run("cd /; rm -rf /workspace/package /tmp/hard; unset A f; echo 3 > /tmp/new", 20)
    box.load([saved])
    expect(box.run(look, 20).output, before, "the sandbox that was saved")
    expect(box.run("pgrep sleep", 10).exit_code, 1, "search for a process of before")
    box.load(saved[place : place + 5000] for place in range(0, len(saved), 5000))
    says(box, "ls ..; cat ../data/train.csv", "data\npackage\na,b\n1,2\n")


def check_nothing_of_the_host_is_seen(box: Sandbox) -> None:
    found = box.run("env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; mount", 20).output
    if SECRET in found:
        raise ConformanceError("the host's environment is seen inside")
    result = box.run(f"timeout 50 grep -rsl {SECRET} / --exclude-dir=proc --exclude-dir=usr", 60)
    expect(result.output.strip(), "", "files of the host that are seen inside")


def check_there_is_no_network(box: Sandbox) -> None:
    says(box, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n")
    probe = "import socket; socket.create_connection(('10.255.255.254', 80), 1)"
    if box.run(f'python -c "{probe}"', 20).exit_code == 0:
        raise ConformanceError("a connection out of the sandbox was made")


def check_the_agent_has_no_privileges(box: Sandbox) -> None:
    says(
        box,
        "id -un; grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status",
        "agent\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n",
    )
    for command in ("unshare -U true", "unshare -m true", "mount -t tmpfs x /tmp", "kill -9 1"):
        box.run(command, 10)
        usable(box)
    if box.run("unshare -Ur true", 10).exit_code == 0:
        raise ConformanceError("a user namespace could be made")


def check_laid_files_carry_a_fixed_time(box: Sandbox) -> None:
    # Not even as wide columns: the one has as many links as the host has processes.
    listing = "ls -lan --time-style=+%s --ignore=proc --ignore=dev / . package"
    first = box.run(listing, 10).output
    time.sleep(1.1)
    box.reset()
    says(box, "stat -c '%Y %U' hello.py package . | sort -u", "1700000000 agent\n")
    again = box.run(listing, 10).output
    expect(again, first, "a listing after a reset")


CHECKS: tuple[Check, ...] = tuple(
    value for name, value in list(globals().items()) if name.startswith("check_")
)
