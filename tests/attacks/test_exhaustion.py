"""All there is of something taken: processes, descriptors, output, time.

Each ends in an answer and a usable shell, harms no neighbour, and voids no episode.
"""

from __future__ import annotations

import pytest
from attacks.attack import Attack, greedy
from attacks.hall import Hall, withstand

PROCESSES = (
    # What is left of a bomb goes on with every command: the shell is slow until a reset.
    greedy(
        "a fork bomb", "bomb() { bomb | bomb & }; bomb; sleep 0.5", "true", quick=True, alive=None
    ),
    greedy(
        "a fork bomb that nobody can outrun",
        script="""
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            try:
                if os.fork() == 0:
                    os.setsid()
            except OSError:
                pass
        """,
        quick=True,
        alive=None,
    ),
    greedy(
        "a thread bomb",
        script="""
        import threading
        try:
            for number in range(100_000):
                threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
            tell("threads", True, number)
        except (RuntimeError, MemoryError):
            print("no more")
        """,
        says="no more",
    ),
    greedy(
        "dead children that nobody fetches",
        script="""
        try:
            for number in range(100_000):
                if os.fork() == 0:
                    os._exit(0)
            tell("children", True, number)
        except OSError:
            print("no more")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        says="no more",
    ),
    greedy(
        "orphans that end all the time",
        "for n in {1..500}; do (:) & done 2>/dev/null; wait",
    ),
    greedy(
        "jobs in sessions of their own, deaf to every signal",
        "for n in {1..20}; do setsid sh -c 'trap \"\" INT TERM HUP QUIT; sleep 99' & done;"
        " disown -a; nohup sleep 99 >/dev/null 2>&1 &",
        "sleep 9",
        quick=True,
    ),
    greedy(
        "stopped jobs, and a command that waits for them",
        "sleep 99 & kill -STOP $!; wait",
        "jobs; (kill -STOP $BASHPID)",
        says="no end after 1 s",
        quick=True,
    ),
    greedy(
        "a command that will not be interrupted",
        # Deaf before Python starts, which may take longer than the second there is.
        "(trap '' INT; exec python /tmp/attack.py)",
        script="""
        for number in set(range(1, 65)) - {9, 19, 32, 33}:
            signal.signal(number, lambda *_: None)
        while True:
            time.sleep(1)
        """,
        says="it was killed",
        quick=True,
    ),
    greedy("a busy shell", "while :; do :; done", says="the shell was killed", quick=True),
    greedy(
        "locks on everything",
        script="""
        import fcntl
        for path in ("/workspace", "/tmp", "/run/sh/output", "/usr/bin/env", "/dev/null"):
            try:
                fcntl.flock(os.open(path, os.O_RDONLY | os.O_NONBLOCK), fcntl.LOCK_EX)
            except OSError:
                pass
        if os.fork():
            os._exit(0)
        time.sleep(99)
        """,
    ),
)
OUTPUT = (
    greedy("a flood", "yes", says="bytes of output"),
    greedy(
        "a flood on both outputs, from many",
        "for n in {1..8}; do yes >&2 & done; yes",
        says="of output",
    ),
    greedy(
        "a line of 100 MB", "head -c 100000000 /dev/zero | tr '\\0' x", says="bytes of output|cut"
    ),
    greedy("bytes that are no text", "head -c 30000000 /dev/urandom", says="cut"),
    greedy(
        "a drip past the time",
        "while sleep 0.1; do echo x; done",
        says="x\n.*no end after",
        quick=True,
    ),
    greedy(
        "a drip of jobs past the time",
        "(while sleep 0.1; do echo x; done) & echo on",
        "sleep 9",
        quick=True,
    ),
    greedy(
        "output through every tool",
        "python -c \"print(('x' * 10**7 + '\\n') * 3)\" > long; seq 1000000 > many",
        "open long",
        "open many",
        "search_dir x",
        "search_file 1 many",
        "find_file *",
        never="x{3000}",
    ),
    greedy(
        "a reader that is never served", "cat; read x; python -c 'input()'; cat /dev/ptmx & true"
    ),
)
OTHERS = (
    greedy(
        "descriptors",
        script="""
        import resource
        fds = []
        try:
            while len(fds) < 100_000:
                fds += os.pipe()
            tell("descriptors", True, len(fds))
        except OSError:
            print("no more")
        """,
        says="no more",
    ),
    greedy(
        "descriptors in flight between sockets",
        script="""
        import resource
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        sent = 0
        try:
            while sent < 100_000:
                socket.send_fds(ours, [b"x"], [0] * 200)
                sent += 200
            tell("in flight", True, sent)
        except OSError:
            print("no more")
        """,
        says="no more",
    ),
    greedy(
        "an environment too large to run anything",
        "export X=$(printf 'x%.0s' {1..200000})",
        "ls",
        "for n in {1..200}; do export X$n=${X:0:100000}; done",
        "ls",
        "validate",
        says="Argument list too long.*right: 2",
    ),
    greedy(
        "terminals",
        script="""
        fds = []
        try:
            while len(fds) < 10_000:
                fds += os.openpty()
            tell("terminals", True, len(fds))
        except OSError:
            print("no more")
        """,
        says="no more",
    ),
    greedy(
        "timers and events",
        script="""
        import select
        kept = []
        try:
            while len(kept) < 100_000:
                kept.append(select.epoll())
            tell("events", True, len(kept))
        except OSError:
            print("no more")
        """,
        says="no more",
    ),
)
ROWS = (*PROCESSES, *OUTPUT, *OTHERS)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_what_is_taken_is_had_again(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)


def test_a_bomb_beside_it_leaves_the_neighbour_its_processes(hall: Hall) -> None:
    hall.quick.reset()
    hall.quick.step("bomb() { bomb | bomb & }; bomb; sleep 0.5")
    # What is left of it is stopped, and still there.
    said = hall.neighbour.step("for n in {1..20}; do (echo x); done | wc -l; python -c 'print(2)'")
    assert said[0].startswith("20\n2\n")
    hall.quick.reset()
