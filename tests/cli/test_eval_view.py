"""What a suite shows while it goes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from run_folders import RECORDED, score

from mlgym.cli.eval_view import PlainSuiteView, facts, matrix
from mlgym.runs.suite.matrix import Cell
from mlgym.runs.suite.progress import CellProgress, Progress, settle


def record(seed: int, cost: float | None, place: float) -> dict[str, Any]:
    usage = {"calls": 2, "input_tokens": 1, "output_tokens": 1, "cost_usd": cost}
    fields = {"seed": seed, "usage": usage, "score": score(place), "duration_s": 60.0, "steps": 3}
    return {**RECORDED, **fields}


def suite(*costs: float | None, clock: float = 0.0) -> Progress:
    """Four cells: as many ended as there are costs, one is played, the others wait."""
    made = [
        CellProgress(Cell("number", "toolcaller", "scripted", seed, 0, f"cell-{seed}"))
        for seed in range(4)
    ]
    for one, cost in zip(made, costs, strict=False):
        settle(one, record(one.cell.seed, cost, 0.25 * one.cell.seed))
    if len(costs) < 4:
        now = made[len(costs)]
        now.now, now.step, now.max_steps, now.cost_usd, now.since = "playing", 7, 50, 0.5, clock
    return Progress(made, 2, clock=lambda: clock + 30.0, began=clock)


def drawn(progress: Progress, height: int = 30) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(matrix(progress, "runs/s", height))
    return captured.get()


def test_the_matrix_has_a_row_for_each_kind_and_a_mark_for_each_seed() -> None:
    shown = drawn(suite(1.0, 1.0))
    (row,) = (line for line in shown.splitlines() if "number" in line)
    assert row.split()[1:-1] == ["number", "toolcaller", "scripted", "0.000", "0.250", "7/50", "·"]


def test_rows_where_nothing_happens_give_way_on_a_low_terminal() -> None:
    progress = suite()
    others = [Cell(f"task{number}", "oracle", None, 0, 0, f"t{number}") for number in range(20)]
    progress.cells += map(CellProgress, others)
    shown = drawn(progress, 12)
    assert "7/50" in shown
    assert "... 13 more rows" in shown


def test_the_cost_so_far_is_never_more_certain_than_it_is() -> None:
    assert "cost $2.50 " in facts(suite(1.0, 1.0))
    assert "cost $1.50 and some unknown" in facts(suite(1.0, None))
    assert "ends unknown" in facts(suite())


def test_what_is_left_is_judged_by_what_runs_have_taken() -> None:
    # A minute each: half a one for what is played, a whole one for what waits, two at a time.
    assert suite(1.0, 1.0).left_s() == 45.0
    assert suite(1.0, 1.0, 1.0, 1.0).left_s() == 0.0
    assert suite(1.0, 1.0).per_hour() == 240.0


def test_a_pipe_gets_a_line_for_each_cell_that_ends(capsys: Any) -> None:
    progress = suite(0.5)
    with PlainSuiteView(progress, "s", Console()) as view:
        view.changed(progress.cells[0])
        progress.cells[1].end("null", None, "no \x1b[2J daemon")
        view.changed(progress.cells[1])
        view.changed(progress.cells[2])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "s: 4 cells, 1 done before"
    assert lines[1] == "[1/4] cell-0: score 0.0000, submitted after 3 steps, 1 min 00 s, $0.5000"
    assert lines[2] == "[2/4] cell-1: null: no \\x1b[2J daemon"
    assert len(lines) == 4
