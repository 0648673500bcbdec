"""Intervals: they hold the truth as often as they say, and say nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from mlgym.report import bootstrap
from mlgym.report.bootstrap import (
    estimate,
    mean_estimate,
    resampled_bests,
    resampled_means,
    share,
    student,
    weights,
)


def covered(tasks: int, runs: int, best: bool, times: int) -> float:
    """How often the interval of a mean over tasks holds the truth, by simulation."""
    rng = np.random.default_rng(7)
    truth = np.sort(rng.normal(size=(100_000, runs)))[:, -1].mean() if best else 0.0
    held = 0
    for _ in range(times):
        found = rng.normal(size=(tasks, runs))
        drawn = resampled_bests if best else resampled_means
        parts = np.stack([drawn(row, str(place)) for place, row in enumerate(found)], axis=1)
        values = found.max(axis=1) if best else found.mean(axis=1)
        made = estimate(float(values.mean()), parts, [runs] * tasks)
        held += made.low <= truth <= made.high
    return held / times


@pytest.mark.parametrize(("tasks", "runs"), [(5, 4), (1, 12)])
def test_the_interval_of_a_mean_covers_at_the_nominal_rate(
    tasks: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)
    rate = covered(tasks, runs, False, 400)
    # 400 trials at 95 % spread by 1.1 %.
    assert 0.92 <= rate <= 0.985


def test_the_interval_of_a_best_over_k_covers_far_more_than_percentiles_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)
    rate = covered(8, 4, True, 300)
    assert 0.87 <= rate <= 0.985


def test_the_same_runs_give_the_same_interval_and_names_their_own_chance() -> None:
    values = np.array([1.0, 2.0, 4.0, 4.5])
    assert mean_estimate(values) == mean_estimate(values)
    one, other = (resampled_means(values, name) for name in "ab")
    assert (one == resampled_means(values, "a")).all()
    assert (one != other).any()
    assert weights(4, "a").sum(axis=1).tolist() == [3.0] * 2000


def test_the_closed_form_of_one_mean_is_what_resamples_come_to() -> None:
    values = np.array([1.0, 2.0, 4.0, 4.5, 9.0])
    drawn = estimate(float(values.mean()), resampled_means(values, "a")[:, None], [5])
    exact = mean_estimate(values)
    assert [drawn.low, drawn.high] == pytest.approx([exact.low, exact.high], abs=0.2)


def test_equal_runs_leave_no_doubt_and_a_single_run_gives_no_interval() -> None:
    sure = mean_estimate(np.array([2.0, 2.0, 2.0]))
    assert (sure.low, sure.value, sure.high) == (2.0, 2.0, 2.0)
    single = mean_estimate(np.array([2.0, np.nan]))
    assert (single.value, single.low, single.high) == (2.0, None, None)
    assert mean_estimate(np.array([np.nan])).value is None


def test_bounds_hold() -> None:
    found = mean_estimate(np.array([0.0, 1.0, 0.0]), (0.0, 1.0))
    assert found.low == 0.0
    assert found.high is not None
    assert found.high <= 1.0


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (3, 3.182), (10, 2.228), (11, 2.201), (30, 2.042), (1e6, 1.96)]
)
def test_student_s_t_is_that_of_the_tables(freedom: float, t: float) -> None:
    assert student(freedom) == pytest.approx(t, abs=2e-3)


def test_a_share_of_none_still_has_an_interval() -> None:
    none = share(0, 10)
    assert none.value == none.low == 0
    # Wilson: 1.96^2 / (10 + 1.96^2).
    assert none.high == pytest.approx(3.8415 / 13.8415, abs=1e-4)
    assert share(0, 0).value is None


def test_resampled_bests_are_those_of_as_many_draws() -> None:
    # Of 3 draws from 4 runs: none of the highest j runs with the chance (1 - j/4)^3.
    found = resampled_bests(np.array([3.0, np.nan, 1.0, 2.0]), "a")
    shares = [float((found >= least).mean()) for least in (3, 2, 1)]
    assert shares == pytest.approx([1 - 0.75**3, 1 - 0.5**3, 1 - 0.25**3], abs=0.03)
    assert np.isnan(found).any()
