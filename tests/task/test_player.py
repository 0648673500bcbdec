"""Programs that know the kit and turn against it: each is refused, none voids an episode.

Voiding matters as much as forging: whoever can make the infrastructure fail draws again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.errors import SubmissionError, TaskError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import load_task

GRADER = """\
import numpy as np
from mlgym_kit import SubmissionError


def grade(player, answers, split, rng):
    player.load("program.py", seed=7)
    total = 0.0
    for number in range(4):
        answer = player.call("move", number, timeout_s=2)
        if type(answer) not in (int, float, np.ndarray):
            raise SubmissionError(f"call {number + 1}: {answer!r:.200}")
        total += float(np.sum(answer))
    return {"value": total}
"""
GOOD = "def move(number):\n    return number\n"
SCORE_OF_GOOD = {"value": 6.0}

# What a program can find out: the pipe that the kit keeps, and the ticket it is about to answer to.
INSIDER = """
import gc, json, os, struct, sys, time

pipe = next(found for found in gc.get_objects() if type(found).__name__ == "Pipe")


def ticket():
    frame = sys._getframe()
    while "ticket" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["ticket"]


def raw(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = memoryview(struct.pack(">II", len(text), len(body)) + text + body)
    while data:
        data = data[os.write(pipe._out, data) :]


def say(*values, body=b"", **more):
    raw({"ticket": ticket(), "values": list(values), **more}, body)
    time.sleep(30)


def array(dtype, shape, size):
    return {"array": dtype, "shape": shape, "size": size}

"""


@pytest.fixture
def folder(number_task: Path) -> Path:
    (number_task / "grader" / "grade.py").write_text(GRADER)
    spec = number_task / "task.yaml"
    spec.write_text(
        spec.read_text()
        .replace("kind: predictions, paths: [answer.txt]", "kind: program, paths: [program.py]")
        .replace("timeout_s: 20", "timeout_s: 4")
    )
    return number_task


def grader_for(folder: Path, backend: str = "bubblewrap") -> Grader:
    task = load_task(folder)
    return Grader(task, prepare(task, "mini", 0, None), load_backend(backend))


@pytest.fixture
def grader(folder: Path) -> Iterator[Grader]:
    with grader_for(folder) as ready:
        yield ready


def refused(grader: Grader, program: str) -> str:
    """The words with which a program is refused; a good one must still score after it."""
    with pytest.raises(SubmissionError) as error:
        grader.grade({"program.py": program.encode()}, "test")
    assert grader.grade({"program.py": GOOD.encode()}, "test") == SCORE_OF_GOOD
    return str(error.value)


def test_the_insider_of_these_tests_is_believed_where_it_plays_by_the_rules(
    grader: Grader,
) -> None:
    # Without this the forgeries below might be refused for a reason of their own.
    honest = INSIDER + (
        "def move(number):\n    pipe.send = lambda *_: None\n"
        "    raw({'ticket': ticket(), 'values': [array('int8', [2], 2)]}, b'\\1\\2')\n"
    )
    assert grader.grade({"program.py": honest.encode()}, "test") == {"value": 4 * 3.0}


FORGED = {
    "no object": ("raw([1]); time.sleep(30)", "nonsense"),
    "null": ("raw(b'null'); time.sleep(30)", "nonsense"),
    "no JSON": ("raw(b'\\xff\\xfe'); time.sleep(30)", "nonsense"),
    "JSON without end": ("raw(b'[' * 100_000 + b']' * 100_000); time.sleep(30)", "nonsense"),
    "no ticket": ("raw({'values': [{'value': 1}]}); time.sleep(30)", "not asked"),
    "another ticket": ("raw({'ticket': '0' * 16}); time.sleep(30)", "not asked"),
    "no values": ("say()", "nonsense"),
    "two values": ("say({'value': 1}, {'value': 2})", "nonsense"),
    "values that are none": ("say(7)", "nonsense"),
    "a value without a value": ("say({})", "nonsense"),
    "an array of objects": ("say(array('object', [1], 8), body=bytes(8))", "nonsense"),
    "an array of a list": ("say(array(['int8'], [1], 1), body=b'1')", "nonsense"),
    "a shape that is none": ("say(array('int8', 'abc', 1), body=b'1')", "nonsense"),
    "a negative shape": ("say(array('int8', [-1], 1), body=b'1')", "nonsense"),
    "a shape beyond C": ("say(array('int8', [10**30], 0))", "nonsense"),
    "a shape that overflows": ("say(array('int8', [2**62, 2**62], 0))", "nonsense"),
    "a hundred dimensions": ("say(array('int8', [1] * 100, 1), body=b'1')", "nonsense"),
    "a size that is a bool": ("say(array('int8', [1], True), body=b'1')", "nonsense"),
    "a body too short": ("say(array('int64', [4], 32), body=bytes(8))", "nonsense"),
    "a body too long": ("say(array('int8', [1], 1), body=bytes(9))", "nonsense"),
    "a list of none": ("say({**array('int8', [2], 1), 'listed': True}, body=b'1')", "nonsense"),
    "a list beyond C": ("say({**array('int8', [10**30], 1), 'listed': 1}, body=b'1')", "nonsense"),
    "too long a list": (
        "say({**array('int8', [3 << 20], 3 << 20), 'listed': 1}, body=bytes(3 << 20))",
        "nonsense",
    ),
    "a list of a hundred dimensions": (
        "say({**array('int8', [1] * 100, 1), 'listed': 1}, body=b'1')",
        "nonsense",
    ),
    "text": ("say({'value': 'x'})", "call 1: 'x'"),
    "half a character": ("say({'value': '\\ud800'})", "call 1"),
    "a failure of half a character": ("say(error='\\ud800')", "\\ud800"),
    "a failure that is no text": ("say(error={'a': [1]})", "failed"),
    "more JSON than is read": ("raw(b'[' + b'[],' * (3 << 20) + b'[]]'); time.sleep(30)", "many"),
    "more than there is": ("os.write(pipe._out, b'\\xff' * 8); time.sleep(30)", "many"),
    "a frame drop by drop": (
        "\n    while True: os.write(pipe._out, b'\\0'); time.sleep(0.5)",
        "did not answer within 2 s",
    ),
    "its output's end": ("os.close(pipe._out); time.sleep(30)", "closed its output"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_is_refused(grader: Grader, name: str) -> None:
    code, words = FORGED[name]
    assert words in refused(grader, f"{INSIDER}\ndef move(number):\n    {code}\n")


def test_an_answer_before_the_question_is_refused(grader: Grader) -> None:
    early = INSIDER + "for _ in range(6):\n    raw({'values': [{'value': 9}]})\n" + GOOD
    assert "not asked" in refused(grader, early)


def test_a_second_answer_is_not_taken_for_that_to_the_next_question(grader: Grader) -> None:
    twice = INSIDER + (
        "def move(number):\n    raw({'ticket': ticket(), 'values': [{'value': 9}]})\n    return 9\n"
    )
    assert "not asked" in refused(grader, twice)


def test_a_program_that_is_slow_in_every_call_pays_for_it_and_not_the_grader(
    folder: Path, backend: str
) -> None:
    # Each call is within its 2 s, all together are beyond the grading's 4 s.
    slow = "import time\ndef move(number):\n    time.sleep(1.5)\n    return number\n"
    with grader_for(folder, backend) as grader:
        assert "more than 4 s in all" in refused(grader, slow)


def test_the_time_of_the_program_is_not_taken_from_the_grader(folder: Path) -> None:
    script = folder / "grader" / "grade.py"
    script.write_text(
        script.read_text().replace("    return {", "    __import__('time').sleep(2)\n    return {")
    )
    slow = "import time\ndef move(number):\n    time.sleep(0.8)\n    return number\n"
    with grader_for(folder) as grader:
        assert grader.grade({"program.py": slow.encode()}, "test") == SCORE_OF_GOOD


def test_a_grader_that_is_slow_between_its_calls_fails_by_its_own_time(folder: Path) -> None:
    script = folder / "grader" / "grade.py"
    slow = "        __import__('time').sleep(1.5)\n        answer = "
    script.write_text(script.read_text().replace("        answer = ", slow))
    with grader_for(folder) as grader, pytest.raises(TaskError, match="did not answer within 4 s"):
        grader.grade({"program.py": GOOD.encode()}, "test")


def test_a_program_that_failed_is_not_asked_again_though_the_grader_would(folder: Path) -> None:
    script = folder / "grader" / "grade.py"
    script.write_text("""\
import time
from mlgym_kit import SubmissionError

def grade(player, answers, split, rng):
    player.load("program.py", seed=7)
    waited = []
    for _ in range(3):
        began = time.monotonic()
        try:
            player.call("move", 0, timeout_s=0.5)
        except SubmissionError:
            waited.append(time.monotonic() - began)
    return {"value": len(waited) + (max(waited[1:]) > 0.15)}
""")
    # It wakes up in time to answer the second question with what it owes to the first.
    late = "import time\ndef move(number):\n    time.sleep(0.7)\n    return number\n"
    with grader_for(folder) as grader:
        assert grader.grade({"program.py": late.encode()}, "test") == {"value": 3.0}


def test_a_program_that_raises_may_be_asked_again(folder: Path) -> None:
    (folder / "grader" / "grade.py").write_text("""\
from mlgym_kit import SubmissionError

def grade(player, answers, split, rng):
    player.load("program.py", seed=7)
    try:
        player.call("move", 0)
    except SubmissionError:
        return {"value": player.call("move", 5)}
""")
    picky = "def move(number):\n    return 10 // number\n"
    with grader_for(folder) as grader:
        assert grader.grade({"program.py": picky.encode()}, "test") == {"value": 2.0}


def test_an_array_of_a_hundred_megabytes_passes_both_ways(folder: Path) -> None:
    spec = folder / "task.yaml"
    spec.write_text(spec.read_text().replace("timeout_s: 4", "timeout_s: 100"))
    (folder / "grader" / "grade.py").write_text("""\
import numpy as np

def grade(player, answers, split, rng):
    player.load("program.py", seed=7)
    return {"value": int(player.call("move", np.ones(100 << 20, dtype=np.int8)).sum(dtype=int))}
""")
    with grader_for(folder) as grader:
        assert grader.grade({"program.py": GOOD.encode()}, "test") == {"value": 100.0 * 2**20}


HUNGRY = {
    "memory": "kept = []\n    while True: kept.append(bytearray(1 << 28))",
    "disk": "file = open('/workspace/x', 'wb')\n    while True: file.write(bytes(1 << 24))",
    "processes": (
        "import os\n    while True:\n        try: os.fork()\n        except OSError: pass"
    ),
    "standard error": "import os\n    while True: os.write(2, b'x' * 65536)",
}


@pytest.mark.parametrize("name", HUNGRY)
def test_a_program_that_takes_all_there_is_of(grader: Grader, name: str) -> None:
    refused(grader, f"def move(number):\n    {HUNGRY[name]}\n")


def test_a_program_s_hashes_are_the_same_every_time(grader: Grader) -> None:
    hashing = b"def move(number):\n    return hash('word') % 10**6\n"
    found = grader.grade({"program.py": hashing}, "test")
    assert grader.grade({"program.py": hashing}, "test") == found


def test_a_program_sees_neither_answers_nor_grader_nor_the_host(grader: Grader) -> None:
    looker = """\
import os, socket
SEEN = [path for path in ("/answers", "/grader") if os.path.exists(path)]
SEEN += [name for name in os.environ if "KEY" in name or "MLGYM" in name or "TOKEN" in name]
try:
    socket.create_connection(("10.255.255.254", 80), 0.5)
    SEEN.append("network")
except OSError:
    pass
def move(number):
    return repr(SEEN)
"""
    assert "call 1: '[]'" in refused(grader, looker)
