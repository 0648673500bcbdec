"""3-SAT: the solver is right, and the formulas are what they are said to be."""

from __future__ import annotations

import importlib.util
import itertools
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import preparing
import pytest

from mlgym.task.spec import find_task

TASK = find_task("sat3")
FORMULAS, VARIABLES = 16, 75


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


solver = module(TASK.folder / "grader" / "solver.py")
data = module(TASK.folder / "data.py")


@pytest.mark.parametrize("seed", range(40))
def test_the_solver_finds_a_model_exactly_where_there_is_one(seed: int) -> None:
    rng, chance, variables = np.random.default_rng(seed), random.Random(seed), 9
    clauses = [[int(part) for part in clause] for clause in data.formula(variables, rng)]
    models = [
        set(signs) for signs in itertools.product(*((n, -n) for n in range(1, variables + 1)))
    ]
    possible = any(all(map(model.intersection, clauses)) for model in models)
    running = solver.search(clauses, variables)
    trail: list[int] = []
    try:
        kept, assigned = next(running)
        while True:
            assert 0 <= kept <= len(trail)
            trail[kept:] = assigned
            # What it tells is consistent, and all that follows: no clause is false or forces more.
            assert not set(trail) & {-literal for literal in trail}
            for clause in clauses:
                free = [part for part in clause if -part not in trail]
                assert set(clause) & set(trail) or len(free) >= 2
            taken = {abs(literal) for literal in trail}
            left = [variable for variable in range(1, variables + 1) if variable not in taken]
            kept, assigned = running.send((chance.choice(left), chance.random() < 0.5))
    except StopIteration as end:
        model = end.value
    assert (model is not None) == possible
    assert model is None or all(map(set(model).intersection, clauses))


def test_what_is_shipped_twice_is_the_same() -> None:
    def text(name: str) -> str:
        return (TASK.folder / name).read_text()

    assert text("grader/solver.py") == text("workspace/solver.py")
    assert text("grader/reference.py") == text("workspace/shipped.py")
    assert text("grader/reference.py") == text("workspace/heuristic.py")


def test_formulas_are_near_the_transition_and_in_one_set_only() -> None:
    prepared = preparing.prepare(TASK.folder)
    files = [prepared.private / "validation.npz", prepared.private / "test.npz"]
    files.append(prepared.public / "practice.npz")
    assert [path.name for path in prepared.public.iterdir()] == ["practice.npz"]
    found: set[bytes] = set()
    for path in files:
        with np.load(path) as file:
            formulas = file["formulas"]
        assert formulas.shape == (FORMULAS, round(4.26 * VARIABLES), 3)
        assert abs(formulas).min() == 1
        assert abs(formulas).max() == VARIABLES
        variables = np.sort(abs(formulas), axis=2)
        assert (np.diff(variables, axis=2) > 0).all()
        assert all(len(np.unique(formula, axis=0)) == len(formula) for formula in formulas)
        found |= {formula.tobytes() for formula in formulas}
    assert len(found) == 3 * FORMULAS


def test_another_data_seed_draws_other_formulas() -> None:
    first, other = preparing.prepare(TASK.folder), preparing.prepare(TASK.folder, data_seed=1)
    for path in (other.private / "test.npz", other.public / "practice.npz"):
        mine = first.public.parent / path.relative_to(other.public.parent)
        assert path.read_bytes() != mine.read_bytes()
