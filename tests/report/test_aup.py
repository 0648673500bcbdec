"""Both definitions of AUP: the published one on examples computed by hand, the strict exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgym.report import aup
from mlgym.report.area import areas
from mlgym.report.scores import read_scores

LayScores = Callable[..., Path]

# Ties, a missing cell, negative cells, one that is worse than the baseline, a minimised task.
#
#            goal      baseline    A      B      C
#   tie      maximize   0.5        0.8    0.8    0.4
#   cost     minimize  10          5      4      -
#   below    maximize  -1         -0.5    2      1
#
# tie:   best 0.8. A and B 1, baseline 0.8/0.5 = 1.6 (the worst that is feasible). C is worse than
#        the baseline: 1.05 * 1.6 = 1.68.
# cost:  best 4. A 5/4 = 1.25, B 1, baseline 10/4 = 2.5 (worst). C is missing: 1.05 * 2.5 = 2.625.
# below: best 2. B 1, C 2/1 = 2 (worst). A is negative, though better than the baseline, and so is
#        the baseline: 1.05 * 2 = 2.1.
HAND = (
    ("tie", "maximize", 0.5, (0.8, 0.8, 0.4)),
    ("cost", "minimize", 10.0, (5.0, 4.0, None)),
    ("below", "maximize", -1.0, (-0.5, 2.0, 1.0)),
)
RATIOS = [
    [1.0, 1.0, 1.68, 1.6],
    [1.25, 1.0, 2.625, 2.5],
    [2.1, 1.0, 2.0, 2.1],
]
# tau_max: ceil(1.68) = 2, ceil(2.625) = 3, ceil(2.1) = 3; 10 log10(3) = 4.77, ceil 5: 0.5. The 500
# tau are 0.5/499 = 0.001002 apart. A task whose log10(ratio) is x counts from the first tau that is
# not below x on, up to the 499th: for
#   ratio 1       x = 0        from   0 on: 499      1.25   x = 0.09691   from  97 on: 402
#   1.6           x = 0.20412  from 204 on: 295      1.68   x = 0.22531   from 225 on: 274
#   2             x = 0.30103  from 301 on: 198      2.1    x = 0.32222   from 322 on: 177
#   2.5           x = 0.39794  from 398 on: 101      2.625  x = 0.41913   from 419 on:  80
COUNTS = {
    "A": (499 + 402 + 177) / 3,
    "B": 499.0,
    "C": (274 + 80 + 198) / 3,
    "baseline": (295 + 101 + 177) / 3,
}


def rows(last: dict[tuple[str, str], float | None] | None = None) -> list[tuple[Any, ...]]:
    made: list[tuple[Any, ...]] = []
    for task, goal, baseline, values in HAND:
        for model, best in zip("ABC", values, strict=True):
            final = (last or {}).get((task, model), best)
            made.append((task, model, goal, baseline, best, final))
    return made


def values(path: Path, definition: Any) -> dict[tuple[str, str], float | None]:
    found = areas(read_scores(path), definition).to_json()
    return {(each["variant"], each["model"]): each["value"] for each in found}


def test_the_published_ratios_are_those_computed_by_hand() -> None:
    scores = np.array([[math.nan if v is None else v for v in row[3]] for row in HAND])
    starts = np.array([row[2] for row in HAND])
    found = aup.paper_ratios(scores, starts, [row[1] for row in HAND])
    assert found.ratio == pytest.approx(np.array(RATIOS))
    assert found.worst == pytest.approx([1.6, 2.5, 2.0])
    assert aup.tau_max([found]) == pytest.approx(0.5)


def test_the_published_areas_are_those_computed_by_hand(lay_scores: LayScores) -> None:
    found = values(lay_scores(*rows()), "paper")
    for variant in ("best_attempt", "best_submission"):
        for model, count in COUNTS.items():
            assert found[variant, model] == pytest.approx(count * 0.5 / 499, abs=1e-12)


def test_both_variants_share_the_axis_of_the_longer_one(lay_scores: LayScores) -> None:
    # Only B has a last score on `cost`, 1: the baseline's ratio is 10, ceil(1.05 * 10) = 11,
    # 10 log10(11) = 10.41, ceil 11: tau_max is 1.1 for the best attempts too, of which B has all.
    last = {("cost", "A"): None, ("cost", "B"): 1.0}
    found = values(lay_scores(*rows(last)), "paper")
    assert found["best_attempt", "B"] == pytest.approx(1.1)
    assert found["best_submission", "B"] == pytest.approx(1.1)


def test_the_best_over_the_runs_counts_in_each_direction(lay_scores: LayScores) -> None:
    # A's best of 2 and 8 is 8 where that is good and 2 where it is not: best on both tasks.
    made = [
        ("up", "A", "maximize", 1.0, 2.0, None),
        ("up", "A", "maximize", 1.0, 8.0, 4.0),
        ("up", "B", "maximize", 1.0, 4.0, 4.0),
        ("down", "A", "minimize", 9.0, 2.0, 2.0),
        ("down", "A", "minimize", 9.0, 8.0, 8.0),
        ("down", "B", "minimize", 9.0, 4.0, 4.0),
    ]
    found = values(lay_scores(*made), "paper")
    # worst 8 and 4.5 of the baseline: ceil(8.4) = 9, 10 log10(9) = 9.54: tau_max is 1.
    assert found["best_attempt", "A"] == pytest.approx(1.0)
    # B's ratio is 2 on both, log10 0.30103 / (1/499) = 150.2: from 151 on, 348 of 499.
    assert found["best_attempt", "B"] == pytest.approx(348 / 499)


def test_a_zero_beside_a_better_score_is_infeasible_and_beside_zeros_it_is_the_best() -> None:
    scores = np.array([[0.0, 2.0], [0.0, 0.0], [0.0, 3.0]])
    found = aup.paper_ratios(
        scores, np.array([-1.0, -1.0, 6.0]), ["maximize", "maximize", "minimize"]
    )
    assert found.ratio[0] == pytest.approx([1.05, 1.0, 1.05])
    assert found.ratio[1] == pytest.approx([1.0, 1.0, 1.05])
    assert found.ratio[2] == pytest.approx([1.0, 1.05, 1.05])


def test_a_task_on_which_no_method_is_feasible_is_left_out_and_named(lay_scores: LayScores) -> None:
    made = [
        ("t", "A", "maximize", 1.0, 2.0, 2.0),
        ("hopeless", "A", "maximize", -2.0, -1.0, None),
    ]
    found = areas(read_scores(lay_scores(*made)), "paper")
    assert any("hopeless: no method is feasible" in note for note in found.notes)
    # worst 2 on the other task: ceil(2.1) = 3, tau_max 0.5, and A is the best there.
    assert found.estimates["best_attempt", "A"].value == pytest.approx(0.5)


@given(
    st.lists(st.floats(-2, 3) | st.just(math.nan), min_size=1, max_size=8),
)
def test_the_strict_area_is_the_brute_force_integral_of_the_profile(places: list[float]) -> None:
    gaps = [1.0 if math.isnan(place) else min(1.0, max(0.0, 1 - place)) for place in places]
    # The profile is a step function: its integral on [0, 1], from jump to jump.
    jumps = sorted({0.0, *gaps, 1.0})
    area = sum(
        (right - left) * sum(gap <= left for gap in gaps) / len(gaps)
        for left, right in pairwise(jumps)
    )
    assert aup.strict(np.array(places)[:, None]).mean() == pytest.approx(area, abs=1e-12)


scores_of_cells = st.none() | st.sampled_from([-1.0, 0.0, 0.25, 1.0, 1.5, 4.0, 1000.0])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["maximize", "minimize"]),
            scores_of_cells,
            st.lists(scores_of_cells, min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_published_area_is_the_sum_that_the_definition_spells_out(tasks: list[Any]) -> None:
    rows = [plain_ratios(goal, baseline, values) for goal, baseline, values in tasks]
    kept = [place for place, row in enumerate(rows) if row is not None]
    if not kept:
        return
    ratios = [rows[place] for place in kept]
    end = max(math.ceil(1.05 * max(r for r, ok in row if ok) - 1e-9) for row in ratios)
    tau_max = math.ceil(10 * math.log10(end) - 1e-9) / 10
    taus = np.linspace(0, tau_max, 500)
    for method in range(4):
        shares = [
            sum(np.log10(row[method][0]) <= tau for row in ratios) / len(ratios) for tau in taus
        ]
        expected = sum(shares[:-1]) * (tau_max / 499)
        found = aup.paper_ratios(
            np.array([[math.nan if v is None else v for v in tasks[place][2]] for place in kept]),
            np.array([math.nan if tasks[p][1] is None else tasks[p][1] for p in kept]),
            [tasks[place][0] for place in kept],
        )
        area = aup.paper(found, aup.tau_max([found]))
        assert area[:, method].mean() == pytest.approx(expected, abs=1e-9)


def plain_ratios(
    goal: str, baseline: float | None, values: list[float | None]
) -> list[tuple[float, bool]] | None:
    """(ratio, feasible) of each method, the baseline last; None where none is feasible."""
    lower = goal == "minimize"
    every = [*values, baseline]
    able = [
        value
        for value in every
        if value is not None
        and value >= 0
        and (baseline is None or not (value > baseline if lower else value < baseline))
    ]
    if not able:
        return None
    best = min(able) if lower else max(able)

    def ratio(value: float) -> float:
        up, down = (value, best) if lower else (best, value)
        return 1.0 if up == down else math.inf if down == 0 else up / down

    found = [ratio(value) if value in able else math.inf for value in every]
    worst = max(each for each in found if each < math.inf)
    return [(each, True) if each < math.inf else (1.05 * worst, False) for each in found]


def test_strict_takes_the_target_of_the_file_and_leaves_out_what_has_no_scale(
    lay_scores: LayScores,
) -> None:
    made = [
        # The best in the file is 4: from 2 to 4 is the way. A went 1/2 of it, B all, C back.
        ("t", "A", "maximize", 2.0, 3.0, None),
        ("t", "B", "maximize", 2.0, 4.0, 2.5),
        ("t", "C", "maximize", 2.0, 1.0, 1.0),
        ("flat", "A", "minimize", 7.0, 8.0, 9.0),
        ("bare", "A", "maximize", None, 8.0, 9.0),
    ]
    found = areas(read_scores(lay_scores(*made)), "strict")
    value = {key: each.value for key, each in found.estimates.items()}
    assert value["best_attempt", "A"] == pytest.approx(0.5)
    assert value["best_attempt", "B"] == pytest.approx(1.0)
    assert value["best_attempt", "C"] == 0
    assert value["best_submission", "A"] == 0
    assert value["best_submission", "B"] == pytest.approx(0.25)
    assert value["best_submission", "baseline"] == 0
    assert [note for note in found.notes if "flat: its target is its baseline" in note]
    assert [note for note in found.notes if "bare: it has no baseline" in note]
