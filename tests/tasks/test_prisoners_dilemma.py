"""The prisoner's dilemma: what strategies earn, column's chances, and cheats that gain nothing."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import find_task
from mlgym.types import Split

TASK = find_task("prisoners_dilemma")
State = tuple[int | None, int | None, int, int | None]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(TASK, prepare(TASK, "mini", 0, None), load_backend("bubblewrap")) as ready:
        yield ready


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the solution computes; the strategy that it writes under `strategy.py`."""
    folder = tmp_path_factory.mktemp("solution")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = runpy.run_path(str(TASK.folder / "solution" / "solution.py"))
    return {**found, "strategy.py": (folder / "strategy.py").read_bytes()}


def earn(grader: Grader, program: str | bytes, split: Split = "test") -> float:
    content = program if isinstance(program, bytes) else program.encode()
    return grader.grade({"strategy.py": content}, split)["payoff"]


def body(code: str) -> str:
    return f"def row_strategy(history):\n    {code}\n"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_shipped_strategy_earns_the_published_baseline(grader: Grader, split: Split) -> None:
    shipped = (TASK.folder / "workspace" / "strategy.py").read_bytes()
    assert earn(grader, shipped, split) == pytest.approx(2.3716, abs=0.02)


def test_the_solution_earns_what_it_computes_and_nothing_earns_more(
    grader: Grader, solution: dict[str, Any]
) -> None:
    value = solution["best"](solution["NOTHING_YET"], 10)[0] / 10
    assert value == pytest.approx(2.6251, abs=1e-4)
    assert earn(grader, solution["strategy.py"]) == pytest.approx(value, abs=0.02)


def expected(defects: Callable[[State], float], row: Callable[[State], int]) -> float:
    """What a strategy without chance earns a round, exactly."""
    payoff = {(0, 0): 3.0, (0, 1): 0.0, (1, 0): 5.0, (1, 1): 1.0}
    likely: dict[State, float] = {(None, None, 0, None): 1.0}
    total = 0.0
    for _ in range(10):
        later: dict[State, float] = {}
        for state, share in likely.items():
            _, last, ever, _ = state
            move = row(state)
            for column in (0, 1):
                part = share * (defects(state) if column else 1 - defects(state))
                total += part * payoff[move, column]
                key = (last, move, max(ever, move), column)
                later[key] = later.get(key, 0.0) + part
        likely = later
    return total / 10


STRATEGIES: dict[str, tuple[str, Callable[[State], int]]] = {
    "cooperate": ("return 0", lambda _: 0),
    "defect": ("return 1", lambda _: 1),
    "tit for tat": ("return history[-1][1] if history else 0", lambda state: state[3] or 0),
    "alternate": ("return len(history) % 2", lambda state: 0 if state[1] is None else 1 - state[1]),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_known_strategies_earn_what_the_rules_give(
    grader: Grader, solution: dict[str, Any], name: str
) -> None:
    code, row = STRATEGIES[name]
    assert earn(grader, body(code)) == pytest.approx(expected(solution["defects"], row), abs=0.02)


def test_column_defects_as_often_as_its_rules_say_in_every_state(
    grader: Grader, solution: dict[str, Any]
) -> None:
    # A strategy may tell in an error what it has seen: so is the opponent learnt from `validate`.
    counting = """\
import collections, json, random
seen = collections.defaultdict(lambda: [0, 0])
calls = 0
def row_strategy(history):
    global calls
    calls += 1
    if history:
        rows = [None, None] + [row for row, _ in history[:-1]]
        column = history[-2][1] if len(history) > 1 else None
        state = (rows[-2], rows[-1], max([0] + [row or 0 for row in rows]), column)
        seen[state][history[-1][1]] += 1
    if calls == 100_000:
        raise ValueError(json.dumps(list(seen.items())))
    return random.randrange(2)
"""
    with pytest.raises(SubmissionError) as error:
        earn(grader, counting, "validation")
    found = re.search(r"ValueError: (\[.*\])", str(error.value))
    assert found is not None
    counts = json.loads(found[1])
    assert len(counts) == 1 + 2 * 2 + 5 * 2  # no move yet, one of them, and two with what is ever
    for state, (zeros, ones) in counts:
        chance, total = solution["defects"](tuple(state)), zeros + ones
        assert ones / total == pytest.approx(chance, abs=5 * sqrt(chance * (1 - chance) / total))


CHEATS = {
    "a move that pays more than any": "return 5",
    "a payoff instead of a move": "return {'move': 1, 'payoff': 5}",
    "the grader's own file": "return open('/grader/grade.py').read()",
    "the salt of the seeds": "return open('/answers/salt', 'rb').read()[0] % 2",
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused(grader: Grader, name: str) -> None:
    with pytest.raises(SubmissionError, match=r"match 1, round 1|No such file"):
        earn(grader, body(CHEATS[name]))


def test_rewriting_the_history_changes_nothing(grader: Grader) -> None:
    rewriting = "history[:] = [(1, 0)] * len(history); history.append((1, 0)); return 0"
    assert earn(grader, body(rewriting)) == earn(grader, body("return 0"))


@pytest.mark.parametrize("move", ["2", "-1", "True", "0.0", "'0'", "None", "[0]"])
def test_an_illegal_move_is_named(grader: Grader, move: str) -> None:
    with pytest.raises(SubmissionError, match="match 1, round 1: row_strategy returned"):
        earn(grader, body(f"return {move}"))


def test_the_rehearsal_judges_moves_as_the_referee_does(tmp_path: Path) -> None:
    shutil.copytree(TASK.folder / "workspace", tmp_path, dirs_exist_ok=True)

    def rehearse() -> str:
        command = [sys.executable, "-B", "baseline.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert rehearse().startswith("legal; ")
    for move in ("2", "True", "0.0", "None"):
        (tmp_path / "strategy.py").write_text(body(f"return {move}"))
        assert not rehearse().startswith("legal; ")
