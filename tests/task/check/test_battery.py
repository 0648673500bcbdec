"""The battery finds a grader that is too kind, that breaks, or that says too little."""

from __future__ import annotations

from pathlib import Path

import pytest
from preparing import rewrite

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import SandboxSpec
from mlgym.task.check import intruder
from mlgym.task.check.bad_predictions import Bad
from mlgym.task.check.bad_programs import bad_programs, found_something, narrow_programs
from mlgym.task.check.battery import try_all, try_narrow, verdict
from mlgym.task.check.claims import RefutedError
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import load_task

BUBBLEWRAP = load_backend("bubblewrap")


def tried(folder: Path, texts: list[str]) -> str:
    """What the battery says of these answers, each named by its own text."""
    task = load_task(folder)
    prepared = prepare(task, "mini", 0, None)
    bad = [Bad(text, {"answer.txt": text.encode()}) for text in texts]
    with Grader(task, prepared, BUBBLEWRAP) as grader:
        return verdict(try_all(grader, task, prepared, bad))


def test_what_is_refused_or_scores_low_is_counted_with_the_best_of_them(number_task):
    said = tried(number_task, ["1.5", "nan", "words", "-3"])
    assert said == "4 tried, 2 refused, 2 scored, at best 0.05 normalized (1.5)"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("raise Sub", "value = 7; Sub", "words: scored {'value': 6.0}, which is 0.6 normalized"),
        ("except ValueError", "except KeyError", "words: the grader failed on it: "),
        ('f"answer.txt: found {text!r}, expected a number"', '""', "refusal says too little: ''"),
        ('f"answer.txt: found', '"long" * 2000 + f"', "words: the refusal is 8000 characters"),
    ],
)
def test_a_grader_that_is_kind_broken_silent_or_verbose_is_found(number_task, old, new, said):
    rewrite(number_task, "grader/grade.py", " from None", "")
    rewrite(number_task, "grader/grade.py", old, new)
    with pytest.raises(RefutedError) as caught:
        tried(number_task, ["1", "words"])
    assert said in str(caught.value)


REFEREE = """\
import math

from mlgym_kit import SubmissionError


def grade(player, answers, split, rng):
    player.load("strategy.py", seed=1)
    answer = player.call("answer", 3)
    if type(answer) not in (int, float) or not math.isfinite(answer):
        raise SubmissionError(f"answer() returned {answer!r:.100}, expected a finite number")
    return {"value": min(answer, 0)}
"""
STRATEGY = b"def answer(number):\n    return -number\n"


@pytest.fixture
def game(number_task: Path) -> Path:
    rewrite(
        number_task,
        "task.yaml",
        "predictions, paths: [answer.txt]",
        "program, paths: [strategy.py]",
    )
    (number_task / "grader" / "grade.py").write_text(REFEREE)
    return number_task


def test_bad_programs_gain_nothing_in_a_careful_game(game):
    task = load_task(game)
    prepared = prepare(task, "mini", 0, None)
    valid = {"strategy.py": STRATEGY}
    low = {"floods its output", "answers other numbers"}
    refused = {"ends when it is called", "answers NaN", "looks for answers and a network"}
    bad = [each for each in bad_programs(task, valid) if each.name in low | refused]
    with Grader(task, prepared, BUBBLEWRAP) as grader:
        outcomes = try_all(grader, task, prepared, bad)
    narrow = [each for each in narrow_programs(task, valid) if each.bad.name == "takes all memory"]
    outcomes += try_narrow(narrow, task, prepared, BUBBLEWRAP)
    assert {outcome.name for outcome in outcomes if outcome.place is not None} == low
    assert verdict(outcomes).startswith("6 tried, 4 refused, 2 scored, at best 0 normalized")


def test_a_referee_that_takes_what_is_no_number_is_found(game):
    rewrite(game, "grader/grade.py", "not in (int, float) or not math.isfinite(answer)", "is str")
    rewrite(game, "grader/grade.py", "min(answer, 0)", "0 if answer is None or answer < 0 else 10")
    task = load_task(game)
    prepared = prepare(task, "mini", 0, None)
    wanted = {"answers None", "answers NaN", "answers infinities", "answers text"}
    bad = [each for each in bad_programs(task, {"strategy.py": STRATEGY}) if each.name in wanted]
    with Grader(task, prepared, BUBBLEWRAP) as grader:
        outcomes = try_all(grader, task, prepared, bad)
    wrong = {outcome.name for outcome in outcomes if outcome.wrong}
    assert wrong == {"answers NaN", "answers infinities"}


def test_an_intruder_finds_what_is_there(tmp_path):
    """In a sandbox that holds answers and has a network, as no player's does."""
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "salt").write_text("1")
    (tmp_path / "workspace").mkdir()
    program = Path(intruder.__file__).read_text() + "\n\nintrude()\n"
    (tmp_path / "workspace" / "policy.py").write_text(program)
    spec = SandboxSpec(
        image="base",
        workspace=tmp_path / "workspace",
        mounts=((tmp_path / "answers", "/answers"),),
        network=True,
    )
    with BUBBLEWRAP(spec) as sandbox:
        said = sandbox.run("python policy.py", 60).output
    assert found_something(said)
    assert "/answers holds" in said
    assert "/answers/salt is there" in said


def test_a_program_that_finds_answers_is_told_of(game):
    task = load_task(game)
    prepared = prepare(task, "mini", 0, None)
    program = b"raise RuntimeError('INTRUDER ' + 'FOUND: the answers')\n"
    with Grader(task, prepared, BUBBLEWRAP) as grader:
        (outcome,) = try_all(grader, task, prepared, [Bad("intruder", {"strategy.py": program})])
    assert outcome.wrong is not None
    assert outcome.wrong.startswith("it found what it must not: ")
