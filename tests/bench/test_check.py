"""Bounds on ratios: what is read, what is measured again, and what counts as exceeded."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_bench import TINY

from mlgym.bench import check as checking
from mlgym.bench.check import TRIES, check, read_bounds
from mlgym.bench.measures import Measure, measure
from mlgym.bench.setting import Setting
from mlgym.bench.suite import PARTS, VECTOR_PARTS
from mlgym.errors import ConfigError


def test_the_bounds_that_ci_holds_name_parts_that_there_are_and_are_wider_than_the_gates(
    root: Path,
) -> None:
    found = read_bounds(root / "tests" / "bench" / "bounds.yaml")
    assert set(found) == {"bubblewrap", "docker"}
    assert set(found["bubblewrap"]) < {name for name, _ in (*PARTS, *VECTOR_PARTS)}
    for backend, parts in found.items():
        for name, at_most in (item for bounds in parts.values() for item in bounds.items()):
            gate = measure(backend, name, 1.0, 1.0)
            assert gate.gate is None or gate.gate_on == "value" or at_most > gate.gate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bubblewrap: 3", "expected a mapping"),
        (
            "bubblewrap: {a leap: {step_p50: 3}}",
            "found the part 'a leap', expected one of",
        ),
        ("bubblewrap: {a step: {step_p50: -1}}", "found -1, expected a ratio above 0"),
        ("bubblewrap: {a step: {step_p50: yes}}", "found True, expected a ratio"),
    ],
)
def test_bounds_that_bound_nothing_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bounds.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_bounds(file)
    with pytest.raises(ConfigError, match="no such file"):
        read_bounds(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("ratios", "ok", "best", "tries"),
    [
        ([2.9], True, 2.9, 1),
        ([9.0, 2.0], True, 2.0, 2),
        ([9.0, 4.0, 5.0], False, 4.0, TRIES),
        ([None, None, None], False, None, TRIES),
    ],
)
def test_what_exceeds_its_bound_is_measured_again_before_it_counts(
    monkeypatch: pytest.MonkeyPatch,
    ratios: list[float | None],
    ok: bool,
    best: float | None,
    tries: int,
) -> None:
    left = list(ratios)

    def part(setting: Setting) -> list[Measure]:
        ratio = left.pop(0)
        return [
            measure(setting.backend, "wild", ratio, 1.0),
            measure(setting.backend, "tame", 1.0, 1.0),
        ]

    monkeypatch.setattr(checking, "_ON_ONE", {"a part": part})
    bounds = {"a part": {"wild": 3.0, "tame": 3.0}}
    wild, tame = check("bubblewrap", bounds, plan=TINY)
    assert (wild.ok, wild.ratio, wild.tries) == (ok, best, tries)
    assert (tame.ok, tame.ratio, tame.tries) == (True, 1.0, 1)
    assert not left


def test_a_measure_that_its_part_does_not_make_is_told_with_those_it_does() -> None:
    with pytest.raises(ConfigError, match="found the measure 'reset', expected one of step_p50"):
        check("bubblewrap", {"a step": {"reset": 1.0}}, plan=TINY)
