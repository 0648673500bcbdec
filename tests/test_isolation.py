"""What an agent and a submitted program can see: no grader, no answers, no solution, no host."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgym.env import MLGymEnv

CANARY = "canary-f3a91c"
SPY = """
import os, socket
found = []
def look(path, text):
    if CANARY.encode() in text:
        found.append(path)
CANARY = "canary-" + "f3a91c"
look("environ", str(dict(os.environ)).encode())
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [name for name in folders if name not in ("sys", "usr", "lib", "lib64")]
    for name in files:
        path = os.path.join(folder, name)
        if name in ("grade.py", "solved.txt", "secret.txt", "salt"):
            found.append(path)
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 1_000_000 and path[:6] != "/proc/":
                look(path, open(path, "rb").read())
        except OSError:
            pass
for entry in os.listdir("/proc"):
    for kind in ("environ", "cmdline"):
        try:
            look(f"/proc/{entry}/{kind}", open(f"/proc/{entry}/{kind}", "rb").read())
        except OSError:
            pass
try:
    socket.create_connection(("10.255.255.254", 80), 1)
    found.append("the network")
except OSError:
    pass
links = open("/proc/net/dev").read().count(":")
if links > 1:
    found.append("a network device")
"""


@pytest.fixture
def secret_task(number_task: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The number task with canaries in grader, solution, answers, and the host's environment."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    grader = number_task / "grader" / "grade.py"
    grader.write_text(f"SECRET = {CANARY!r}\n{grader.read_text()}")
    (number_task / "solution" / "solved.txt").write_text(f"10 {CANARY}")
    (number_task / "data.py").write_text(
        "def prepare(profile, data_seed, public, private):\n"
        f"    (private / 'secret.txt').write_text({CANARY!r})\n"
        "    (public / 'open.txt').write_text('public')\n"
    )
    spec = number_task / "task.yaml"
    spec.write_text(f"{spec.read_text()}data: data.py\n")
    return number_task


def test_the_agent_finds_nothing(secret_task: Path, backend: str) -> None:
    with MLGymEnv(secret_task, sandbox=backend) as env:
        env.reset()
        assert env.step("cat data/open.txt")[0] == "public"
        env.sandbox.write("/tmp/spy.py", (SPY + "print('found', found)\n").encode())
        observation = env.step("python /tmp/spy.py")[0]
        assert observation == "found []\n"
        env.step("echo 3 > answer.txt")
        env.step("validate")
        assert env.step("python /tmp/spy.py")[0] == "found []\n"


def test_a_submitted_program_finds_nothing(secret_task: Path, backend: str) -> None:
    spec = secret_task / "task.yaml"
    spec.write_text(
        spec.read_text().replace(
            "kind: predictions, paths: [answer.txt]", "kind: program, paths: [spy.py]"
        )
    )
    (secret_task / "grader" / "grade.py").write_text(
        f"SECRET = {CANARY!r}\n"
        "from mlgym_kit import SubmissionError\n"
        "def grade(player, answers, split, rng):\n"
        f"    assert (answers / 'secret.txt').read_text() == {CANARY!r}\n"
        "    player.load('spy.py', seed=1)\n"
        "    found = player.call('report')\n"
        "    if found:\n"
        "        raise SubmissionError(f'found {found}')\n"
        "    return {'value': 5.0}\n"
    )
    with MLGymEnv(secret_task, sandbox=backend) as env:
        env.reset()
        env.sandbox.write("spy.py", (SPY + "\ndef report():\n    return found\n").encode())
        observation, _, _, _, info = env.step("validate")
        assert info.get("metrics") == {"value": 5.0}, observation
