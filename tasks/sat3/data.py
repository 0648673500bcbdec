"""Draws random 3-SAT formulas near the phase transition: 4.26 clauses a variable."""

from pathlib import Path

import numpy as np

SIZES = {"full": (90, 32), "mini": (75, 16)}
"""Profile: variables of a formula, formulas in each of the three sets."""
CLAUSES = 4.26


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    variables, count = SIZES[profile]
    rng = np.random.default_rng([data_seed, variables])
    for file in (public / "practice.npz", private / "validation.npz", private / "test.npz"):
        formulas = [formula(variables, rng) for _ in range(count)]
        np.savez(file, formulas=np.array(formulas, dtype=np.int16), variables=variables)


def formula(variables, rng):
    """Different clauses of three different variables each, [clauses, 3], negated by a fair coin."""
    clauses = {}
    while len(clauses) < round(CLAUSES * variables):
        chosen = np.sort(rng.choice(variables, size=3, replace=False)) + 1
        clauses[tuple(chosen * rng.choice([-1, 1], size=3))] = None
    return list(clauses)
