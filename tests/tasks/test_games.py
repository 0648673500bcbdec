"""The games: what known strategies earn, and that illegal moves are named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import find_task


def grader_of(name: str) -> Grader:
    task = find_task(name)
    return Grader(task, prepare(task, "mini", 0, None), load_backend("bubblewrap"))


@pytest.fixture(scope="module")
def battle() -> Iterator[Grader]:
    with grader_of("battle_of_sexes") as grader:
        yield grader


@pytest.fixture(scope="module")
def blotto() -> Iterator[Grader]:
    with grader_of("blotto") as grader:
        yield grader


def play(grader: Grader, body: str, split: str = "test") -> float:
    program = f"import random\ndef row_strategy(history):\n    {body}\n"
    (value,) = grader.grade({"strategy.py": program.encode()}, split).values()  # type: ignore[arg-type]
    return value


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_shipped_strategies_earn_the_published_baselines(
    battle: Grader, blotto: Grader, split: str
) -> None:
    for grader, name, wanted in ((battle, "battle_of_sexes", 1.0227), (blotto, "blotto", -0.248)):
        shipped = (find_task(name).folder / "workspace" / "strategy.py").read_bytes()
        (value,) = grader.grade({"strategy.py": shipped}, split).values()  # type: ignore[arg-type]
        assert value == pytest.approx(wanted, abs=0.02)


def test_constant_moves_earn_what_the_rules_give(battle: Grader, blotto: Grader) -> None:
    assert play(battle, "return 0") == pytest.approx(1.44, abs=0.02)
    assert play(battle, "return 1") == pytest.approx((1 + 9 * 0.8) / 10, abs=0.02)
    assert play(blotto, "return [30, 30, 30, 30, 0, 0]") == pytest.approx(0.249, abs=0.02)
    assert play(blotto, "return [0] * 6") < -0.9


def test_column_repeats_rows_first_move_four_times_in_five(battle: Grader) -> None:
    # Opening with 1 and then playing 0 meets column's 0 only when it is disloyal.
    assert play(battle, "return 0 if history else 1") == pytest.approx((1 + 9 * 0.4) / 10, abs=0.02)


def test_validation_and_test_are_other_matches(battle: Grader) -> None:
    coin = "return random.randrange(2)"
    assert play(battle, coin) == play(battle, coin)
    assert play(battle, coin) != play(battle, coin, "validation")


@pytest.mark.parametrize(
    "body",
    [
        "return 2",
        "return -1",
        "return True",
        "return 0.0",
        "return '0'",
        "return None",
        "return [0]",
    ],
)
def test_an_illegal_move_in_battle_of_sexes_is_named(battle: Grader, body: str) -> None:
    with pytest.raises(SubmissionError, match="match 1, round 1: row_strategy returned"):
        play(battle, body)


@pytest.mark.parametrize(
    "body",
    [
        "return [120, 1, 0, 0, 0, 0]",
        "return [20] * 5",
        "return [20] * 7",
        "return [-1, 121, 0, 0, 0, 0]",
        "return [20.0] * 6",
        "return [True] * 6",
        "return 20",
        "return [[20]] * 6",
    ],
)
def test_an_illegal_move_in_blotto_is_named(blotto: Grader, body: str) -> None:
    with pytest.raises(SubmissionError, match="match 1, round 1: row_strategy returned"):
        play(blotto, body)


def test_a_late_illegal_move_is_named_by_match_and_round(battle: Grader) -> None:
    with pytest.raises(SubmissionError, match=r"match \d+, round 4"):
        play(battle, "return 0 if len(history) < 3 else 7")


@pytest.mark.parametrize("name", ["battle_of_sexes", "blotto"])
def test_the_rehearsal_judges_moves_as_the_referee_does(name: str, tmp_path: Path) -> None:
    shutil.copytree(find_task(name).folder / "workspace", tmp_path, dirs_exist_ok=True)

    def rehearse() -> str:
        command = [sys.executable, "-B", "baseline.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert rehearse().startswith("legal; ")
    program = tmp_path / "strategy.py"
    for body in ("2", "True", "0.0", "[20.0] * 6", "[True] * 6", "[21] * 6", "[-1, 1, 0, 0, 0, 0]"):
        program.write_text(f"def row_strategy(history):\n    return {body}\n")
        assert not rehearse().startswith("legal; ")
    move = {"battle_of_sexes": "numpy.int64(1)", "blotto": "numpy.full(6, 20)"}[name]
    program.write_text(f"import numpy\ndef row_strategy(history):\n    return {move}\n")
    assert rehearse().startswith("legal; ")


def test_moves_may_be_numpys_numbers(battle: Grader, blotto: Grader) -> None:
    assert play(battle, "import numpy; return numpy.int64(0)") == pytest.approx(1.44, abs=0.02)
    found = play(blotto, "import numpy; return numpy.array([30, 30, 30, 30, 0, 0])")
    assert found == pytest.approx(0.249, abs=0.02)
