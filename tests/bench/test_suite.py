"""The whole bench, with few repeats: every figure is there. What the figures are is not tested."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
from tiny_bench import GATED, TINY, UNITS, VECTOR_GATED, VECTOR_UNITS

from mlgym.bench.grading import play_alone
from mlgym.bench.plan import FULL, QUICK
from mlgym.bench.setting import GAME, LINES, bench_task
from mlgym.bench.suite import bench, bench_vector
from mlgym.env import MLGymEnv
from mlgym.sandbox.docker_client import OWNER, connect, owner_label


def test_every_measure_stands_beside_its_reference(backend: str) -> None:
    said: list[str] = []
    report = bench(backend, TINY, log=said.append)
    assert {measure.name: measure.unit for measure in report.measures} == UNITS
    for measure in report.measures:
        for value in (measure.value, measure.reference, measure.ratio):
            assert value is not None, measure
            assert math.isfinite(value), measure
            # A time-out may be noticed a hair before the stamp that it is counted from.
            assert value > 0 or "deaf" in measure.name, measure
        assert measure.detail
        assert measure.against
    gated = {measure.name for measure in report.measures if measure.gate is not None}
    assert gated == (GATED | {"cold_start", "validate"} if backend == "bubblewrap" else GATED)
    assert all((measure.ok is None) == (measure.gate is None) for measure in report.measures)
    assert (report.sandbox, report.pinned) == (backend, True)
    assert len(said) == 8
    assert set(asdict(report)["measures"][0]) >= {
        *("name", "value", "unit", "reference", "ratio", "gate", "ok", "detail"),
    }


def test_vectors_are_measured_beside_shells_in_a_loop_and_one_environment() -> None:
    report = bench_vector("bubblewrap", TINY)
    assert {measure.name: measure.unit for measure in report.measures} == VECTOR_UNITS
    assert all(measure.value and measure.reference for measure in report.measures)
    assert {measure.name for measure in report.measures if measure.gate} == VECTOR_GATED
    assert (report.vector, report.pinned) == (True, False)


@pytest.mark.docker
def test_it_leaves_no_container() -> None:
    client = connect()
    mine = owner_label("")[OWNER]
    assert client.containers.list(all=True, filters={"label": f"{OWNER}={mine}"}) == []
    client.close()


def test_the_game_alone_comes_to_the_payoff_of_a_validation() -> None:
    with MLGymEnv(GAME, sandbox="bubblewrap") as env:
        env.reset(seed=0)
        metrics = env.step("validate")[4]["metrics"]
        tolerance = env.task.spec.primary.tolerance
        alone = json.loads(play_alone(env.task))
    assert alone == pytest.approx(metrics, abs=tolerance)


def test_the_task_made_for_it_weighs_5_mb_and_its_text_is_1_mb() -> None:
    with bench_task() as task:
        sizes = [path.stat().st_size for path in (task / "workspace").rglob("*") if path.is_file()]
        assert (sum(sizes), len(sizes)) == (5_000_000, 81)
        assert len((task / "workspace" / LINES).read_text().splitlines()) > 10_000
    assert not task.exists()


def test_a_quick_run_does_nothing_more_often_than_a_full_one() -> None:
    full, quick = asdict(FULL), asdict(QUICK)
    assert quick["envs"] == full["envs"] == (1, 8, 32)
    assert set(quick["vector_counts"]) < set(full["vector_counts"]) == {1, 8, 32, 256}
    numbers = [name for name in full if not isinstance(full[name], tuple)]
    assert all(quick[name] <= full[name] for name in numbers)
