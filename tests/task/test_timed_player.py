"""What a grader that takes times can rely on: fresh starts, no company, all processor time."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from mlgym.catalog import home
from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import load_task

HEAD = "from mlgym_kit import SubmissionError\ndef grade(player, answers, split, rng):\n"


def grader_for(folder: Path, script: str, backend: str = "bubblewrap", more: str = "") -> Grader:
    """The grader whose `grade` has the body `script`; `more` are fields beside its time limit."""
    lines = "".join(f"    {line}\n" for line in script.splitlines())
    (folder / "grader" / "grade.py").write_text(HEAD + lines)
    spec = folder / "task.yaml"
    text = spec.read_text().replace(
        "kind: predictions, paths: [answer.txt]", "kind: program, paths: [program.py]"
    )
    spec.write_text(re.sub("timeout_s: 20[^}]*", f"timeout_s: 20{more}", text))
    task = load_task(folder)
    return Grader(task, prepare(task, "mini", 0, None), load_backend(backend))


def value(grader: Grader, program: str) -> float:
    with grader:
        return grader.grade({"program.py": program.encode()}, "test")["value"]


def test_a_restarted_program_remembers_nothing(number_task: Path, backend: str) -> None:
    script = """\
seen = []
for _ in range(3):
    player.restart()
    player.load("program.py", seed=7)
    seen += [player.call("count") for _ in range(2)]
return {"value": seen == [1, 2] * 3}"""
    counting = """\
from pathlib import Path
places = [Path(folder) / "count" for folder in ("/workspace", "/tmp", "/home/agent", "/dev/shm")]
calls = max(int(place.read_text()) if place.exists() else 0 for place in places)
def count():
    global calls
    calls += 1
    for place in places:
        place.write_text(str(calls))
    open("/workspace/program.py", "w").write("")
    return calls
"""
    assert value(grader_for(number_task, script, backend), counting) == 1


def test_a_program_that_failed_may_be_restarted(number_task: Path) -> None:
    script = """\
player.load("program.py", seed=7)
try:
    player.call("move", 5, timeout_s=0.5)
except SubmissionError:
    player.restart()
player.load("program.py", seed=7)
return {"value": player.call("move", 0)}"""
    late = "import time\ndef move(seconds):\n    time.sleep(seconds)\n    return 3\n"
    assert value(grader_for(number_task, script), late) == 3


def test_another_program_can_stand_in_for_the_submitted_one(number_task: Path) -> None:
    script = """\
player.load("program.py", seed=7, instead="def move(): return 1")
one = player.call("move")
player.restart()
player.load("program.py", seed=7)
return {"value": 10 * one + player.call("move")}"""
    assert value(grader_for(number_task, script), "def move():\n    return 2\n") == 12


def test_a_function_is_called_for_each_of_many(number_task: Path) -> None:
    script = """\
player.echo(1, [2])
player.load("program.py", seed=7)
assert player.each("add", []) == []
return {"value": sum(player.each("add", [[1, 2], [3, 4]]))}"""
    numpys = "import numpy\ndef add(one, other):\n    return numpy.int64(one + other)\n"
    assert value(grader_for(number_task, script), numpys) == 10


ALONE = 'player.load("program.py", seed=7, alone=True)\nreturn {"value": player.call("count")}'
COMPANY = {
    "a thread": "import threading\n        threading.Thread(target=print).start()",
    "a fork": "import os\n        os.fork() or os._exit(0)",
    "a program": "import subprocess\n        subprocess.run(['true'])",
    "a larger limit": "import resource\n        resource.setrlimit(6, (9, 9))",
}


@pytest.mark.parametrize("name", COMPANY)
def test_a_program_that_is_alone_cannot_start(number_task: Path, backend: str, name: str) -> None:
    tried = f"""\
def count():
    try:
        {COMPANY[name]}
    except (OSError, RuntimeError, ValueError):
        return 1
    return 0
"""
    assert value(grader_for(number_task, ALONE, backend), tried) == 1


def test_a_program_that_is_alone_finds_no_process_to_use(number_task: Path, backend: str) -> None:
    others = """\
import os
def count():
    own = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != "1"]
    return sum(open(f"/proc/{pid}/stat").read().split()[-50] != "Z" for pid in own)
"""
    assert value(grader_for(number_task, ALONE, backend), others) == 1


CPU = """\
import time
player.load("program.py", seed=7, alone=True)
began = player.cpu_s
player.call("move")
time.sleep(1)
player.call("move")
return {"value": player.cpu_s - began}"""


def test_processor_time_is_what_a_program_computes_and_not_what_it_waits(
    number_task: Path, backend: str
) -> None:
    sleeping = "import time\ndef move():\n    time.sleep(0.5)\n"
    assert value(grader_for(number_task, CPU, backend), sleeping) < 0.05


def test_what_a_program_computes_while_it_is_not_asked_counts_too(
    number_task: Path, backend: str
) -> None:
    # It puts its own reading in the place of the kit's, and computes until there is something.
    busy = """\
import gc, select
pipe = next(found for found in gc.get_objects() if type(found).__name__ == "Pipe")
read = pipe._exactly
def waiting(size):
    pipe._exactly = read
    while not select.select([pipe._in.fileno()], [], [], 0)[0]:
        pass
    return read(size)
def move():
    pipe._exactly = waiting
"""
    assert value(grader_for(number_task, CPU, backend), busy) > 0.05


def test_the_time_of_answers_is_kept(number_task: Path) -> None:
    script = """\
player.load("program.py", seed=7)
began = player.wall_s
player.call("move")
return {"value": player.wall_s - began}"""
    sleeping = "import time\ndef move():\n    time.sleep(0.5)\n"
    assert 0.5 <= value(grader_for(number_task, script), sleeping) < 2


def test_a_timed_grading_waits_for_another_one_on_this_host(number_task: Path) -> None:
    script = 'player.load("program.py", seed=7)\nreturn {"value": 1}'
    ended: list[float] = []

    def grade(grader: Grader) -> None:
        value(grader, "")
        ended.append(time.monotonic())

    waiting = threading.Thread(
        target=grade, args=(grader_for(number_task, script, more=", timed: true"),)
    )
    with FileLock(home() / "timed-grading.lock"):
        waiting.start()
        value(grader_for(number_task, script, more=", timed: false"), "")  # one that does not care
        time.sleep(1.5)
        released = time.monotonic()
        assert not ended
    waiting.join(30)
    assert len(ended) == 1
    assert ended[0] > released


def test_a_program_that_gives_up_its_process_is_told(number_task: Path) -> None:
    script = 'player.load("program.py", seed=7, alone=True)\nreturn {"value": player.call("move")}'
    with pytest.raises(SubmissionError, match="it ended"):
        value(
            grader_for(number_task, script), "import os\ndef move():\n    os.execvp('true', ['x'])"
        )
