"""Figures: nothing is cut, every model looks the same everywhere, names are never formulas."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import matplotlib as mpl
import pytest

from mlgym.report.curves import score_by_step
from mlgym.report.own import own_sheets
from mlgym.report.plots import make_figure
from mlgym.report.style import COLOURS, RC, looks
from mlgym.runs.reading import read_runs

LONG = "provider/a-model-with-a-name-that-goes-on-for-ever-and-a-day-2026-11"


@pytest.mark.parametrize("models", [["a"], [f"{LONG}-{place}" for place in range(14)]])
def test_no_label_is_cut(models: list[str]) -> None:
    def draw(axes: Any, known: Any) -> None:
        for place, look in enumerate(known.values()):
            axes.plot([0, 1], [0, 1000 * place], label=look.label)
        axes.set(xlabel="the part of the way from baseline to target that is still missing")
        axes.set(ylabel="best validation so far (0 baseline, 1 target)", title="A title")

    with mpl.rc_context(dict(RC)):
        figure = make_figure(models, draw)
        renderer = figure.canvas.get_renderer()
        box = figure.get_tightbbox(renderer)
        width, height = figure.get_size_inches()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert len(figure.legends[0].get_texts()) == len(models) + 1
        axes = figure.axes[0].get_window_extent(renderer)
        assert axes.height / figure.dpi > 2.5


def test_looks_follow_the_place_and_the_baseline_is_always_the_same() -> None:
    few, many = looks(["a", "b"]), looks(["a", "b", *map(str, range(20))])
    assert few["a"] == many["a"]
    assert few["b"] == many["b"]
    assert few["baseline"] == many["baseline"]
    shown = [(look.colour, str(look.line)) for look in many.values()]
    assert len(set(shown)) == len(shown)


# Machado, Oliveira and Fernandes (2009): linear RGB as seen without red, and without green.
NO_RED = ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052))
NO_GREEN = ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969))


@pytest.mark.parametrize("eye", [NO_RED, NO_GREEN])
def test_colours_differ_also_for_those_who_see_few(eye: tuple[tuple[float, ...], ...]) -> None:
    def seen(colour: str) -> list[float]:
        light = [(int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5)]
        mixed = (sum(part * each for part, each in zip(row, light, strict=True)) for row in eye)
        return [min(1.0, max(0.0, each)) ** (1 / 2.2) for each in mixed]

    points = [seen(colour) for colour in (*COLOURS, "#000000", "#ffffff")]
    assert min(math.dist(one, other) for one, other in combinations(points, 2)) > 0.15


def test_a_name_is_shown_as_it_is() -> None:
    known = looks(["_hidden", "$x$", "tab\tand\x1b"])
    assert [look.label for look in known.values()] == [" _hidden", "$x$", "tab and?", "baseline"]


def test_the_curve_of_a_run_is_its_best_validation_so_far(lay_run: Any, tmp_path: Any) -> None:
    lay_run(5.0, validated={1: 0.2, 3: 0.5})
    lay_run(5.0, validated={2: 0.4})
    folder = lay_run(5.0, model="two", validated={1: 0.6})
    with (folder / "trajectory.jsonl").open("a") as file:
        file.write('{"step": 5, "parent": 4, "tool": "validate", "rew')
    (sheet,) = own_sheets(read_runs(tmp_path / "runs"))
    (one, two), note = score_by_step(sheet)
    assert list(one.mean) == pytest.approx([0, 0.1, 0.3, 0.55, 0.55])
    assert one.low is not None
    assert (one.low <= one.mean).all()
    assert list(two.mean) == pytest.approx([0, 0.6, 0.6, 0.6, 0.6])
    assert two.low is None
    assert "Validation" in note


def test_of_a_branched_run_each_branch_counts_for_itself(lay_run: Any, tmp_path: Any) -> None:
    folder = lay_run(5.0, validated={1: 0.2, 3: 0.3})
    lines = (folder / "trajectory.jsonl").read_text().splitlines(keepends=True)
    # Step 3 goes on from the reset: what step 1 gained is not part of its branch.
    lines[3] = lines[3].replace('"parent": 2', '"parent": 0')
    (folder / "trajectory.jsonl").write_text("".join(lines))
    (sheet,) = own_sheets(read_runs(tmp_path / "runs"))
    ((curve,), _) = score_by_step(sheet)
    assert list(curve.mean) == pytest.approx([0, 0.2, 0.2, 0.3, 0.3])
