"""3-SAT: what is scored, illegal decisions are named, and cheats gain nothing.

Graded on fewer and smaller formulas than `mini` has, in two passes instead of five.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import preparing
import pytest

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.spec import find_task, load_task
from mlgym.types import Split

TASK = find_task("sat3")
SHIPPED = (TASK.folder / "workspace" / "heuristic.py").read_text()
GLUE = SHIPPED[SHIPPED.index("heuristics = {}") :]
FORMULAS, VARIABLES = 4, 54


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    folder = tmp_path_factory.mktemp("tasks") / "sat3"
    shutil.copytree(TASK.folder, folder)
    preparing.rewrite(folder, "data.py", '"mini": (75, 16)', f'"mini": ({VARIABLES}, {FORMULAS})')
    preparing.rewrite(folder, "grader/grade.py", "PASSES = 5", "PASSES = 2")
    preparing.rewrite(folder, "grader/exchange.py", "ECHOES = 100", "ECHOES = 20")
    return folder, preparing.prepare(folder)


@pytest.fixture(scope="module")
def grader(small: tuple[Path, Prepared]) -> Iterator[Grader]:
    with Grader(load_task(small[0]), small[1], load_backend("bubblewrap")) as ready:
        yield ready


def score(grader: Grader, program: str, split: Split = "test") -> dict[str, float]:
    return grader.grade({"heuristic.py": program.encode()}, split)


@pytest.fixture(scope="module")
def shipped(grader: Grader) -> dict[str, float]:
    """What the shipped heuristic scores."""
    return score(grader, SHIPPED)


def refusal(grader: Grader, program: str) -> str:
    with pytest.raises(SubmissionError) as error:
        score(grader, program)
    return str(error.value)


# What is scored ------------------------------------------------------------------------------


def test_the_shipped_heuristic_takes_its_own_time(
    grader: Grader, shipped: dict[str, float]
) -> None:
    assert shipped["time_ratio"] == pytest.approx(1, abs=0.4)
    assert shipped["decisions"] != score(grader, SHIPPED, "validation")["decisions"]


def test_the_solution_takes_fewer_decisions(grader: Grader, shipped: dict[str, float]) -> None:
    solved = (TASK.folder / "solution" / "heuristic.py").read_text()
    assert score(grader, solved)["decisions"] < 0.6 * shipped["decisions"]


FIRST = f"""\
class Heuristic:
    def __init__(self, clauses, variables):
        self.variables, self.trail = variables, []
    def decide(self, kept, assigned):
        self.trail[kept:] = assigned
        taken = set(map(abs, self.trail))
        free = [number for number in range(1, self.variables + 1) if number not in taken]
        return ANSWER
{GLUE}"""
ILLEGAL = {
    "no decision": "None",
    "a literal": "free[0]",
    "half a decision": "(free[0],)",
    "too much of it": "(free[0], True, True)",
    "a variable that is none": f"({VARIABLES + 1}, True)",
    "a variable that is a truth value": "(True, True)",
    "a name": "(str(free[0]), True)",
    "a value that is none": "(free[0], 2)",
    "no value": "(free[0], None)",
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_decision_is_named(grader: Grader, name: str) -> None:
    words = refusal(grader, FIRST.replace("ANSWER", ILLEGAL[name]))
    assert words.startswith("formula 0, decision 1: decide returned ")


def test_a_variable_that_has_a_value_is_refused(grader: Grader) -> None:
    again = "(abs(self.trail[-1]) if len(self.trail) > 9 else free[0], True)"
    assert "has a value already" in refusal(grader, FIRST.replace("ANSWER", again))


def test_a_heuristic_without_sense_is_refused_for_its_decisions(grader: Grader) -> None:
    # Trying the value first that is in fewer of the clauses, of the variable that is in fewest.
    worst = SHIPPED.replace("max(counts", "min(counts").replace("best > 0", "best < 0")
    assert "decisions, and" in refusal(grader, worst)


# Cheats --------------------------------------------------------------------------------------

INSIDER = """\
import gc, select, time
pipe = next(found for found in gc.get_objects() if type(found).__name__ == "Pipe")
exactly = pipe._exactly
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""


def test_thinking_while_the_solver_works_is_paid_for(grader: Grader) -> None:
    # It computes in the place of waiting for the next frame.
    beside = INSIDER + "pipe._exactly = lambda size: (burn(0.001), exactly(size))[1]\n" + SHIPPED
    assert score(grader, beside)["time_ratio"] > 2


def test_thinking_in_another_frame_each_time_is_paid_for(grader: Grader) -> None:
    once = "    if len(seen) == when: burn(0.5)\n    seen.append(number)\n    return heuristics"
    moved = SHIPPED.replace("    return heuristics", once)
    moved = f"{INSIDER}\nimport os\nseen, when = [], os.urandom(1)[0] % 16\n{moved}"
    assert score(grader, moved)["time_ratio"] > 2


def test_waiting_is_paid_for(grader: Grader) -> None:
    idle = SHIPPED.replace("    return heuristics", "    time.sleep(0.01); return heuristics")
    assert score(grader, f"import time\n{idle}")["time_ratio"] > 2


def test_solving_the_formula_itself_is_paid_for(grader: Grader, shipped: dict[str, float]) -> None:
    search = (TASK.folder / "workspace" / "solver.py").read_text()
    itself = f"""{search}
{SHIPPED.replace("def begin", "def first_begin").replace("def decide(number", "def ask(number")}

models = {{}}
def begin(number, clauses, variables):
    first_begin(number, clauses, variables)
    running = search(clauses, variables)
    try:
        question = next(running)
        while True:
            question = running.send(ask(number, *question))
    except StopIteration as end:
        models[number] = set(end.value or ())
    first_begin(number, clauses, variables)

def decide(number, kept, assigned):
    variable, value = ask(number, kept, assigned)
    return variable, variable in models[number] or (-variable not in models[number] and value)
"""
    found = score(grader, itself)
    assert found["decisions"] < shipped["decisions"]
    assert found["time_ratio"] > 0.9


def test_what_one_pass_found_is_not_there_in_the_next(
    grader: Grader, shipped: dict[str, float]
) -> None:
    # Were there a file left, the decisions would differ, and the submission be refused.
    places = (
        "[Path(folder) / 'seen' for folder in ('/workspace', '/tmp', '/dev/shm', '/home/agent')]"
    )
    keeping = f"""\
from pathlib import Path
places = {places}
known = any(place.exists() for place in places)
for place in places:
    place.write_text("seen")
{SHIPPED.replace("best > 0", "known or best > 0")}"""
    assert score(grader, keeping)["decisions"] == shipped["decisions"]


def test_luck_is_refused(grader: Grader) -> None:
    # Rare, as it would be: who takes twice the time by luck is not measured again.
    lucky = "import os\n" + SHIPPED.replace("best > 0", "(best > 0) != (os.urandom(1)[0] < 3)")
    assert "did not decide the same way" in refusal(grader, lucky)


def test_a_thread_beside_it_is_refused(grader: Grader) -> None:
    threaded = "import threading\nthreading.Thread(target=print).start()\n" + SHIPPED
    assert "can't start new thread" in refusal(grader, threaded)


def test_a_wrong_number_of_answers_is_refused(grader: Grader) -> None:
    forged = """\
import gc
for found in gc.get_objects():
    if type(found) is dict and "echo" in found and "each" in found:
        found["each"] = lambda *_: [[1]]
"""
    assert f"expected {FORMULAS} answers" in refusal(grader, forged + SHIPPED)


# The rehearsal -------------------------------------------------------------------------------


def test_the_rehearsal_compares_with_the_shipped_heuristic(
    small: tuple[Path, Prepared], tmp_path: Path
) -> None:
    shutil.copytree(small[0] / "workspace", tmp_path, dirs_exist_ok=True)
    (tmp_path / "data").symlink_to(small[1].public)
    shutil.copy(small[0] / "solution" / "heuristic.py", tmp_path)
    command = [sys.executable, "-B", "baseline.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    shipped, own, ratio = done.stdout.splitlines()
    assert shipped.startswith("  shipped: ")
    assert own.startswith("heuristic: ")
    assert 0 < float(ratio.split()[2]) < 0.8
