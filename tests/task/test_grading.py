"""Grading apart: outcomes by frame, whoever's fault it is, and players that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.errors import SubmissionError, TaskError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import load_task

ROUNDS_GRADER = """\
import numpy as np
from mlgym_kit import SubmissionError


def grade(player, answers, split, rng):
    player.load("program.py", seed=7)
    last, total = 3, 0
    for number in range(4):
        moves = player.play("move", last, timeout_s=2)
        if not isinstance(moves, list) or any(type(move) is not int for move in moves):
            raise SubmissionError(f"round {number + 1}: {moves!r:.200}")
        last = np.array(moves) + 1
        total += sum(moves)
    doubled = player.call("double", np.arange(3.0), timeout_s=2)
    return {"value": float(total) + float(np.sum(doubled))}
"""
GOOD = """\
import numpy as np
def move(history):
    assert all(other == own + 1 for own, other in history)
    return len(history)
def double(x):
    return 2 * x
"""


def folder_of(number_task: Path, grader: str, kind: str = "program") -> Path:
    (number_task / "grader" / "grade.py").write_text(grader)
    if kind == "program":
        spec = number_task / "task.yaml"
        spec.write_text(
            spec.read_text().replace(
                "kind: predictions, paths: [answer.txt]", "kind: program, paths: [program.py]"
            )
        )
    return number_task


def grader_for(folder: Path, backend: str = "bubblewrap") -> Grader:
    task = load_task(folder)
    return Grader(task, prepare(task, "mini", 0, None), load_backend(backend))


@pytest.fixture
def rounds(number_task: Path, backend: str) -> Iterator[Grader]:
    with grader_for(folder_of(number_task, ROUNDS_GRADER), backend) as grader:
        yield grader


def test_a_program_is_played_in_lockstep_and_called_with_arrays(rounds: Grader) -> None:
    files = {"program.py": GOOD.encode()}
    assert rounds.grade(files, "test") == {"value": 3 * (0 + 1 + 2 + 3) + 6.0}
    assert rounds.grade(files, "test") == {"value": 24.0}


MISBEHAVIOUR = {
    "crashes on import": ("raise RuntimeError('boom')", "boom"),
    "is no Python": ("def move(:", "SyntaxError"),
    "has no function": ("x = 1", "no function move"),
    "crashes later": ("def move(h): return 1 // (2 - len(h))", "ZeroDivisionError"),
    "exits": ("import os\ndef move(h): os._exit(3)", "it ended"),
    "raises SystemExit": ("import sys\ndef move(h): sys.exit('bye')", "bye"),
    "hangs": ("import time\ndef move(h): time.sleep(60)", "did not answer within"),
    "spins": ("def move(h):\n  while True: pass", "did not answer within"),
    "writes frames of its own": (
        "import os\ndef move(h):\n"
        "  for fd in range(3, 30):\n"
        "    try: os.write(fd, b'\\xff' * 64)\n"
        "    except OSError: pass\n  return 1",
        "failed",
    ),
    "floods the frame pipe": (
        "import os\ndef move(h):\n  while True:\n    for fd in range(3, 10):\n"
        "      try: os.write(fd, b'\\0\\0\\0\\1' * 4096)\n      except OSError: pass",
        "the submitted program",
    ),
    "answers with text": ("def move(h): return 'x'", "round 1"),
    "answers with NaN": ("def move(h): return float('nan')", "round 1"),
    "answers with booleans": ("def move(h): return True", "round 1"),
    "answers with an object": ("def move(h): return object()", "not JSON serializable"),
    "nests without end": ("def move(h):\n  a = []\n  a.append(a)\n  return a", "Recursion"),
    "kills itself": ("import os\ndef move(h): os.kill(os.getpid(), 9)", "status 137"),
    "deletes the kit's modules": (
        "import sys, struct\nfor name in list(sys.modules): sys.modules.pop(name)\n"
        "def move(h): return open('/answers/salt').read()",
        "/answers/salt",
    ),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_a_program_that(number_task: Path, name: str) -> None:
    program, words = MISBEHAVIOUR[name]
    with grader_for(folder_of(number_task, ROUNDS_GRADER)) as grader:
        with pytest.raises(SubmissionError) as error:
            grader.grade({"program.py": program.encode()}, "test")
        assert words in str(error.value)
        assert grader.grade({"program.py": GOOD.encode()}, "test") == {"value": 24.0}


def test_a_program_that_prints_and_reads_disturbs_nothing(number_task: Path) -> None:
    noisy = "import sys\nprint('x' * 10**6)\nsys.stdin.read()\n" + GOOD.replace(
        "return len", "print('hm', file=sys.stderr); return len"
    )
    with grader_for(folder_of(number_task, ROUNDS_GRADER)) as grader:
        assert grader.grade({"program.py": noisy.encode()}, "test") == {"value": 24.0}


def test_a_program_that_spoils_its_history_harms_only_itself(number_task: Path) -> None:
    spoiler = GOOD.replace("return len(history)", "n = len(history); history.clear(); return n")
    with grader_for(folder_of(number_task, ROUNDS_GRADER)) as grader:
        assert grader.grade({"program.py": spoiler.encode()}, "test") == {"value": 24.0}


def test_randomness_is_seeded_for_the_program(number_task: Path) -> None:
    dice = "import random, numpy as np\n" + GOOD.replace(
        "return len(history)", "return random.randrange(100) + int(np.random.randint(100))"
    ).replace("    assert all(other == own + 1 for own, other in history)\n", "")
    with grader_for(folder_of(number_task, ROUNDS_GRADER)) as grader:
        files = {"program.py": dice.encode()}
        assert grader.grade(files, "test") == grader.grade(files, "test")


def test_one_program_leaves_nothing_for_the_next(number_task: Path) -> None:
    writer = "open('/tmp/mark', 'w').write('1')\n" + GOOD
    reader = "import os\nassert not os.path.exists('/tmp/mark')\n" + GOOD
    with grader_for(folder_of(number_task, ROUNDS_GRADER)) as grader:
        grader.grade({"program.py": writer.encode()}, "test")
        grader.grade({"program.py": reader.encode()}, "test")


MESSY = """\
import os, subprocess
subprocess.Popen(["sleep", "86398"], start_new_session=True)
for folder in ("/tmp", "/dev/shm", "/home/agent", "/workspace"):
    os.makedirs(folder + "/left/over")
    open(folder + "/mark", "w").write("1")
"""


def test_gradings_share_warm_sandboxes_that_are_clean_in_between(
    number_task: Path, backend: str
) -> None:
    with grader_for(folder_of(number_task, ROUNDS_GRADER), backend) as grader:
        grader.grade({"program.py": GOOD.encode()}, "test")
        before = (grader._referee, grader._player)
        for _ in range(3):
            grader.grade({"program.py": (MESSY + GOOD).encode()}, "test")
            assert (grader._referee, grader._player) == before
            for sandbox in before:
                assert sandbox is not None
                left = sandbox.run("find /workspace /tmp /dev/shm /home/agent -mindepth 1", 10)
                assert left.output == ""
                # Read by the shell itself, so that there is no other process to be seen.
                look = "for p in /proc/[0-9]*; do read name < $p/comm; echo $name; done"
                names = sandbox.run(look, 10).output.split()
                assert [name.split(".")[0] for name in names] == ["python3", "bash"]


PREDICTIONS = "def grade(submission, answers, split, rng):\n    {}\n    return {{'value': 1.0}}\n"
BUGS = {
    "raises": ("raise KeyError('oops')", "oops"),
    "exits": ("import sys; sys.exit(0)", "SystemExit"),
    "dies": ("import os; os._exit(1)", "it ended"),
    "returns nothing": ("return None", "TypeError"),
    "returns another metric": ("return {'other': 1.0}", "declares"),
    "returns text": ("return {'value': 'high'}", "could not convert"),
    "hangs": ("import time; time.sleep(60)", "did not answer within"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_grader_with_a_bug_is_a_task_error_that(number_task: Path, name: str) -> None:
    line, words = BUGS[name]
    folder = folder_of(number_task, PREDICTIONS.format(line), "predictions")
    spec = folder / "task.yaml"
    spec.write_text(spec.read_text().replace("timeout_s: 20", "timeout_s: 2"))
    with grader_for(folder) as grader:
        with pytest.raises(TaskError) as error:
            grader.grade({"answer.txt": b"1"}, "test")
        assert words in str(error.value)


def test_a_grader_that_prints_ten_megabytes_still_grades(number_task: Path) -> None:
    folder = folder_of(number_task, PREDICTIONS.format("print('x' * 10**7)"), "predictions")
    with grader_for(folder) as grader:
        assert grader.grade({"answer.txt": b"1"}, "test") == {"value": 1.0}


def test_a_metric_that_is_no_number_is_an_invalid_submission(number_task: Path) -> None:
    folder = folder_of(
        number_task, PREDICTIONS.format("return {'value': float('nan')}"), "predictions"
    )
    with grader_for(folder) as grader, pytest.raises(SubmissionError, match="no finite number"):
        grader.grade({"answer.txt": b"1"}, "test")


def test_the_rng_follows_from_task_and_split_alone(number_task: Path) -> None:
    folder = folder_of(
        number_task, PREDICTIONS.format("return {'value': float(rng.random())}"), "predictions"
    )
    with grader_for(folder) as first, grader_for(folder) as second:
        values = [
            grader.grade({"answer.txt": b"1"}, "test")["value"] for grader in (first, first, second)
        ]
        assert len(set(values)) == 1
        assert first.grade({"answer.txt": b"1"}, "validation")["value"] != values[0]
