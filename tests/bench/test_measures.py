"""Ratios, gates, and the order in which two things are timed."""

from __future__ import annotations

import pytest

from mlgym.bench.measures import compared, in_turn, measure, quantile, timed


def test_a_ratio_is_how_many_times_more_we_take_whatever_the_unit() -> None:
    assert measure("bubblewrap", "x", 6.0, 2.0).ratio == 3.0
    assert measure("bubblewrap", "x", 1000.0, 3000.0, unit="1/s").ratio == 3.0


@pytest.mark.parametrize(
    ("backend", "name", "value", "reference", "ok"),
    [
        ("bubblewrap", "step_p50", 0.3, 0.1, True),
        ("bubblewrap", "step_p50", 0.31, 0.1, False),
        ("docker", "step_p50", 1.2, 0.1, True),
        ("docker", "reset", 40.0, 300.0, False),
        ("bubblewrap", "timeout_sleep", 99.0, 1.0, True),
        ("docker", "output_1mb", 21.0, 20.0, False),
        ("docker", "cold_start", 600.0, 500.0, None),
        ("bubblewrap", "validate", 320.0, 200.0, True),
        ("bubblewrap", "validate", 321.0, 200.0, False),
        ("docker", "validate", 600.0, 500.0, None),
        ("another", "step_p50", 0.1, 0.1, None),
    ],
)
def test_gates_bound_a_ratio_or_a_value(
    backend: str, name: str, value: float, reference: float, ok: bool | None
) -> None:
    found = measure(backend, name, value, reference)
    assert found.ok is ok
    assert (found.gate is None) is (ok is None)


def test_what_could_not_be_measured_holds_no_gate() -> None:
    found = measure("bubblewrap", "timeout_deaf", None, None)
    assert (found.value, found.ratio, found.ok) == (None, None, False)


def test_durations_are_compared_in_milliseconds_at_one_quantile() -> None:
    seconds = ([0.001, 0.002, 0.009], [0.001, 0.001, 0.003])
    found = compared("bubblewrap", "x", seconds, detail="more")
    assert (found.value, found.reference, found.unit) == (2.0, 1.0, "ms")
    assert found.detail == "median of 3; more"
    worst = compared("bubblewrap", "x", seconds, share=0.99)
    assert (worst.value, worst.detail) == (9.0, "p99 of 3")


def test_a_quantile_is_a_value_that_occurred() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (quantile(values, 0.99), quantile([7.0], 0.99)) == (99.0, 7.0)


def test_both_sides_take_turns_and_take_turns_at_beginning() -> None:
    calls: list[str] = []
    ours, theirs = timed(lambda: calls.append("a")), timed(lambda: calls.append("b"))
    seconds = in_turn(ours, theirs, 3)
    assert "".join(calls) == "ab" + "ba" + "ab" + "ba"
    assert [len(side) for side in seconds] == [3, 3]
    assert all(value >= 0 for side in seconds for value in side)
