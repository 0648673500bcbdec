"""Secrets looked for: answers, graders, solutions, keys, what others have or have left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.attack import CANARY, RUN, Attack
from attacks.hall import RESIDENT, TREASURE, Hall, withstand
from attacks.vault import write_vault

from mlgym.config import RunConfig
from mlgym.runs.single import check, make_env, run_episode


def robbed(
    name: str, script: str, says: str = "refused|searched", actions: tuple[str, ...] = (RUN,)
) -> Attack:
    return Attack(name, "theft", actions, script=script, says=says)


def left(name: str, script: str, later: str, later_says: str = r"^nothing\n$") -> Attack:
    """Something left behind in one episode, to be found in the next."""
    return Attack(name, "theft", script=script, later=(later,), later_says=later_says)


SEARCHES = (
    robbed(
        "every file that can be read",
        """
        for folder, folders, files in os.walk("/"):
            if folder == "/":
                folders[:] = [f for f in folders if f not in ("proc", "sys", "usr", "lib", "lib64")]
            folders[:] = [f for f in folders if f not in ("site-packages", "dist-packages")]
            for name in files:
                path = os.path.join(folder, name)
                if name in ("grade.py", "labels.csv", "solved.csv", "salt", "secret.txt"):
                    tell(path, True, "found")
                try:
                    if os.path.isfile(path) and CANARY.encode() in content(path, 1 << 20):
                        tell(path, True, content(path))
                except OSError:
                    pass
        print("searched")
        """,
    ),
    robbed(
        "every process: its environment, its command, its memory",
        """
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            for kind in ("environ", "cmdline", "comm", "stat"):
                try:
                    told = content(f"/proc/{pid}/{kind}")
                except OSError:
                    continue
                if CANARY.encode() in told or b"KEY" in told:
                    tell(f"{pid} {kind}", True, told)
            if pid == os.getpid():
                continue
            try:
                memory = open(f"/proc/{pid}/mem", "rb", 0)
                places = open(f"/proc/{pid}/maps").read().splitlines()
            except OSError:
                continue
            for place in places:
                start, end = (int(word, 16) for word in place.split()[0].split("-"))
                try:
                    memory.seek(start)
                    if CANARY.encode() in memory.read(min(end - start, 1 << 24)):
                        tell(f"{pid} {place}", True, "in memory")
                except (OSError, OverflowError, ValueError):
                    pass
        print("searched")
        """,
    ),
    robbed(
        "the host's services",
        """
        for name, family, address in (
            ("loopback", socket.AF_INET, ("127.0.0.1", @PORT@)),
            ("any", socket.AF_INET, ("0.0.0.0", @PORT@)),
            ("loopback 6", socket.AF_INET6, ("::1", @PORT@)),
            ("the bridge", socket.AF_INET, ("172.17.0.1", @PORT@)),
            ("metadata", socket.AF_INET, ("169.254.169.254", 80)),
            ("abstract", socket.AF_UNIX, "\\0@SERVICE@"),
            ("docker", socket.AF_UNIX, "/var/run/docker.sock"),
            ("docker", socket.AF_UNIX, "/run/docker.sock"),
            ("bus", socket.AF_UNIX, "/run/dbus/system_bus_socket"),
        ):
            with socket.socket(family) as found:
                found.settimeout(0.5)
                attempt(name, found.connect, address)
        attempt("a name", socket.getaddrinfo, "example.org", 80)
        """,
    ),
    Attack(
        "a job that watches while the submission is graded",
        "theft",
        script="""
        with open("/tmp/seen", "w") as out:
            print("begun", file=out, flush=True)
            known = set(os.listdir("/proc"))
            while True:
                for pid in set(os.listdir("/proc")) - known:
                    try:
                        told = content(f"/proc/{pid}/cmdline")
                    except OSError:
                        continue
                    if b"mlgym_kit" in told or b"grade" in told:
                        tell(pid, True, told)
                for folder in ("/answers", "/grader"):
                    if os.path.isdir(folder) and os.listdir(folder):
                        print("GAINED", os.listdir(folder), file=out, flush=True)
        """,
        actions=(f"{RUN} >/tmp/printed 2>&1 & sleep 0.3", "validate", "cat /tmp/seen /tmp/printed"),
        says="right: 2.*begun",
    ),
    robbed(
        "the neighbour's processes and files",
        f"""
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                told = content(f"/proc/{{pid}}/cmdline")
            except OSError:
                continue
            if b"{RESIDENT}" in told and b"attack" not in told:
                tell(pid, True, told)
        for number in range(2, 3000):
            try:
                os.kill(number, 0)
            except OSError:
                continue
            if not os.path.exists(f"/proc/{{number}}"):
                tell(number, True, "a process that is not listed")
        for path in ("/workspace/treasure", "/tmp/treasure", "/dev/shm/treasure"):
            attempt(path, content, path)
        """,
    ),
    Attack(
        "everything killed, the neighbour's processes too",
        "theft",
        actions=("kill -9 -1", "echo on; kill -STOP -1", "echo on"),
        quick=True,
    ),
    robbed(
        "the neighbour's queues, semaphores and shared memory",
        """
        for kind in ("shm", "sem", "msg"):
            rows = open(f"/proc/sysvipc/{kind}").read().splitlines()[1:]
            tell(kind, bool(rows), rows or 0)
        try:
            names = os.listdir("/dev/mqueue")
        except OSError:
            names = []
        tell("queues", bool(names), names or 0)
        unix = [line for line in open("/proc/net/unix").read().splitlines()[1:] if "@" in line]
        tell("sockets", bool(unix), unix or 0)
        """,
    ),
)
LEFT = (
    left(
        "left for the next episode: shared memory",
        """
        LIBC.shmget(4242, 4096, 0o1666)
        LIBC.semget(4242, 1, 0o1666)
        LIBC.msgget(4242, 0o1666)
        """,
        "cat /proc/sysvipc/* | grep 4242 || echo nothing",
    ),
    left(
        "left for the next episode: a message queue",
        """
        LIBC.syscall(240 if X86 else 180, b"left", os.O_RDWR | os.O_CREAT, 0o666, None)
        try:
            open("/dev/mqueue/left2", "w")
        except OSError:
            pass
        """,
        "ls /dev/mqueue 2>/dev/null | grep left || echo nothing",
    ),
    left(
        "left for the next episode: words on the folders themselves",
        """
        for folder in ("/workspace", "/tmp", "/home/agent", "/dev/shm"):
            try:
                os.setxattr(folder, "user.left", b"word")
            except OSError:
                pass
        """,
        """python -c "
import os
found = [os.listxattr(f) for f in ('/workspace', '/tmp', '/home/agent', '/dev/shm')]
print('GAINED' if any(found) else 'nothing')
" """,
    ),
    left(
        "left for the next episode: the folders' modes",
        """
        for folder in ("/workspace", "/tmp", "/home/agent", "/dev/shm"):
            try:
                os.chmod(folder, 0o7707)
            except OSError:
                pass
        """,
        "stat -c %a /workspace /tmp /home/agent /dev/shm | grep 707 || echo nothing",
    ),
    left(
        "left for the next episode: folders that nobody may enter",
        """
        for folder in ("/tmp", "/home/agent", "/dev/shm", "/workspace"):
            try:
                os.chmod(folder, 0)
            except OSError:
                pass
        """,
        "cd /tmp && touch x && cd ~ && touch x && cd /workspace && touch x && echo nothing",
    ),
    left(
        "left for the next episode: files in the way of the wipe",
        """
        for folder in ("/workspace", "/tmp", "/home/agent", "/dev/shm"):
            for number in range(1, 200):
                os.makedirs(f"{folder}/.wipe-{number}-1/x/y")
            os.makedirs(f"{folder}/a/b/c")
            os.makedirs(f"{folder}/closed/b/c")
            os.chmod(f"{folder}/closed/b", 0)
            os.chmod(f"{folder}/closed", 0)
        """,
        "ls -A /tmp ~ /dev/shm | grep wipe || echo nothing",
    ),
    Attack(
        "left for the next episode: jobs, traps, variables, functions and files",
        "theft",
        (
            "export LEFT=1 BASH_ENV=/tmp/x; left() { :; }; alias echo=false; trap 'echo x' DEBUG;"
            " tee ~/.bashrc ~/.profile /tmp/x /dev/shm/y < submission.csv; umask 777;"
            " setsid sleep 99 & disown",
        ),
        alive=None,
        later=(
            "echo $LEFT$BASH_ENV; type left; ls -A ~ /tmp /dev/shm; trap -p DEBUG;"
            " alias | grep -v '@[-_]='; jobs; umask",
        ),
        later_says=r"^\n.*not found\n/dev/shm:\n\n/home/agent:\n\n/tmp:\n0022\n$",
    ),
)
ROWS = (*SEARCHES, *LEFT)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_nothing_is_found(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)


def test_the_neighbour_has_what_is_looked_for(hall: Hall) -> None:
    # Without this the rows above might find nothing because there is nothing.
    assert hall.neighbour.step("cat treasure; pgrep -af sleep")[0].count(RESIDENT) == 1
    assert hall.neighbour.sandbox.read("/workspace/treasure", 100).decode() == f"{TREASURE}\n"


def test_no_run_record_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    config = RunConfig.make(
        task=str(write_vault(tmp_path)), agent="baseline", sandbox=backend, out=tmp_path / "runs"
    )
    found = check(config)
    folder, record, _ = run_episode(config, found, make_env(config, found))
    assert record["score"]["metrics"] == {"right": 2.0}
    for path in folder.path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert "GAINED" not in (folder.path / "trajectory.jsonl").read_text()
