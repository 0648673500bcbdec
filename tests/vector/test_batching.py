"""Infos of many environments as one, beside what Gymnasium makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from mlgym.vector.batching import batched

MAKE = {
    "step": lambda chance: int(chance.integers(9)),
    "score": lambda chance: float(chance.random()),
    "tool": lambda chance: str(chance.integers(9)),
    "flag": lambda chance: bool(chance.integers(2)),
    "numpy": lambda chance: np.float32(chance.random()),
    "array": lambda chance: chance.random(3),
    "final_obs": lambda chance: str(chance.integers(9)),
    "metrics": lambda chance: {"a": float(chance.random()), "b": {"c": 1}},
    "final_info": lambda chance: {"step": int(chance.integers(9)), "final_obs": "x"},
}


def plain(found: Any) -> Any:
    """Something that `==` compares, types and all."""
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items()}
    return (str(found.dtype), found.tolist())


def test_infos_are_laid_out_as_gymnasium_lays_them_out() -> None:
    chance = np.random.default_rng(0)
    for size in (1, 2, 5):
        for _ in range(30):
            infos = [
                {key: make(chance) for key, make in MAKE.items() if chance.random() < 0.4}
                for _ in range(size)
            ]
            gymnasiums: VectorEnv[Any, Any, Any] = VectorEnv()
            gymnasiums.num_envs = size
            wanted: dict[str, Any] = {}
            for number, info in enumerate(infos):
                wanted = gymnasiums._add_info(wanted, info, number)
            assert plain(batched(infos)) == plain(wanted)


def test_nothing_adds_nothing() -> None:
    assert batched([None, None]) == {}
    assert batched([None, {"step": 1}])["_step"].tolist() == [False, True]
