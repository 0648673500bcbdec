"""Out of the sandbox, or out of the episode, through PID 1: its memory, descriptors, limits, files.

Who can end PID 1 can void an episode that goes badly.
"""

from __future__ import annotations

import os

import pytest
from attacks.attack import RUN, Attack, denied
from attacks.hall import Hall, withstand

ROWS = (
    denied(
        "the memory of PID 1",
        """
        for mode in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            attempt(f"mem {mode}", os.open, "/proc/1/mem", mode)
        """,
    ),
    denied(
        "the descriptors of PID 1",
        """
        # One of them may be a file of the host's, without any limit to its size.
        attempt("list", os.listdir, "/proc/1/fd")
        for number in range(20):
            for mode in (os.O_RDONLY, os.O_WRONLY):
                attempt(f"descriptor {number}", os.open, f"/proc/1/fd/{number}",
                        mode | os.O_NONBLOCK)
        """,
    ),
    denied(
        "what /proc tells of PID 1",
        """
        for name in ("environ", "maps", "smaps", "auxv", "stack", "syscall", "personality",
                     "io", "pagemap"):
            attempt(name, content, f"/proc/1/{name}", 1000)
        """,
    ),
    denied(
        "the folders of PID 1",
        """
        for name in ("cwd", "root", "exe"):
            attempt(name, os.stat, f"/proc/1/{name}/")
            attempt(name, os.readlink, f"/proc/1/{name}")
        attempt("the map's files", os.listdir, "/proc/1/map_files")
        """,
    ),
    Attack(
        "every signal to PID 1",
        "escape",
        script="""
        for number in range(1, 65):
            for _ in range(3):
                try:
                    os.kill(1, number)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "every signal to every process",
        "escape",
        actions=("for n in {1..64}; do kill -$n -1; done", RUN),
        script="""
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        for number in range(1, 65):
            try:
                os.kill(-1, number)
            except OSError:
                pass
        """,
    ),
    denied(
        "the limits of PID 1",
        """
        import resource
        for name in ("NOFILE", "NPROC", "CPU", "FSIZE", "DATA", "AS"):
            which = getattr(resource, f"RLIMIT_{name}")
            hard = 1 if name == "CPU" else 0
            attempt(name, resource.prlimit, 1, which, (0, hard))
        """,
    ),
    denied(
        "the scheduling of PID 1",
        """
        attempt("nice", os.setpriority, os.PRIO_PROCESS, 1, 19)
        attempt("nice, of all", os.setpriority, os.PRIO_USER, 0, 19)
        attempt("idle", os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))
        call("cores", 203, 122, 1, 8, struct.pack("=Q", 1))
        call("disk", 251, 30, 1, 1, 3 << 13)
        call("disk, of all", 251, 30, 3, 0, 3 << 13)
        """,
    ),
    Attack(
        "PID 1 by the tools, which it serves itself",
        "escape",
        actions=(
            "open /proc/self/maps",
            "open /proc/self/environ",
            "open /proc/thread-self/auxv",
            "open /proc/self/fd/2",
            "create /proc/self/mem\n<<E\nx\nE",
            "create /proc/self/oom_score_adj\n<<E\n1000\nE",
            "create /proc/self/fd/2\n<<E\nGAINED\nE",
            "create /proc/self/comm\n<<E\nGAINED\nE",
            "echo $(cat /proc/1/comm) $(cat /proc/1/oom_score_adj)",
        ),
        never=r"GAINED|r-xp|PATH=|PWD=| 1000\n|was written",
    ),
    Attack(
        "PID 1 by a folder of its own as the current one",
        "escape",
        actions=("cd /proc/1/fd && open 2", "open 2", "cd /proc/1/task/1", "open environ"),
        says="open: ",
        never=r"GAINED|PWD=|PATH=",
    ),
    Attack(
        "the output pipe replaced by a file",
        "escape",
        actions=("rm -f /run/sh/output; echo x > /run/sh/output", "ls -l /run/sh"),
        # Where the guest is the agent's own user, the agent can blind itself until the next reset.
        says=r"\nprw--w--w- .* output\n" if os.getuid() == 0 else "",
        alive="alive\n" if os.getuid() == 0 else None,
        later=("ls -l /run/sh",),
        later_says=r"prw--w--w- .* output\n",
    ),
    Attack(
        "the output pipe replaced by a folder, with a job that holds the old one",
        "escape",
        actions=(
            "rm -f /run/sh/output; mkdir -p /run/sh/output/x; sleep 50 & echo on",
            "echo next",
            "exit",
        ),
    ),
    Attack(
        "the sourced text replaced by a folder",
        "escape",
        actions=("rm -f /run/sh/bash; mkdir -p /run/sh/bash/x; exit",),
    ),
    Attack("the guest's folder closed", "escape", actions=("chmod 000 /run/sh; exit",)),
    Attack(
        "the guest's folder filled",
        "escape",
        actions=("head -c 10M /dev/zero > /run/sh/fill; mkdir /run/sh/d{1..2000}; exit",),
        later=("ls -A /run/sh",),
        later_says=r"^bash\noutput\n$",
    ),
    denied(
        "the guest's program",
        """
        for name in ("/run/mlgym", "/run/mlgym/guest", "/run", "/opt/mlgym/bin", "/opt/env", "/"):
            attempt(name, os.mkdir, f"{name}/new")
            attempt(name, os.rename, name, "/tmp/moved")
        attempt("shell.py", open, "/run/mlgym/guest/shell.py", "a")
        attempt("validate", open, "/opt/mlgym/bin/validate", "a")
        """,
    ),
    Attack(
        "the pipe of commands made small, and never read, under forged ends",
        "escape",
        actions=(
            f"S=$({RUN} $$); while :; do builtin echo 0 >&$S; done",
            *[": another command"] * 60,
        ),
        script="""
        # The pipe that bash reads its commands from, and the one that it tells their end on.
        import fcntl
        for number in os.listdir(f"/proc/{sys.argv[1]}/fd"):
            path = f"/proc/{sys.argv[1]}/fd/{number}"
            if not os.readlink(path).startswith("pipe:") or int(number) < 3:
                continue
            try:
                fcntl.fcntl(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1031, 4096)
            except OSError:
                pass
            if os.lstat(path).st_mode & 0o222:
                print(number)
        """,
        quick=True,
        alive=None,
    ),
)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_the_guest_stays_what_it_is(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)
