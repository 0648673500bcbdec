"""Tree skeletons: what is grown, how near is near, that copies gain nothing.

Graded on fewer trees than `mini` has.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from nursery import HIDDEN, TASK, TRAIN, Arrays, Grade, joined, load, rows
from nursery import grade as grade
from nursery import nursery as nursery
from nursery import prepared as prepared
from nursery import train as train

from mlgym.task import data

MINI = TASK.spec.profiles["mini"]
# What gains no more than a tenth of the way from the baseline to the target.
WORTHLESS = 0.9 * MINI.baseline["distance"] + 0.1 * MINI.target["distance"]
# The share of new trees that are taken for copies: these few known trees lie farther apart than
# those of `mini`, where it is below the 0.09 that cost nothing.
CHANCE = 0.13
SPECIES = ("fir", "oak", "willow", "birch", "palm", "shrub", "acacia")


# Data -----------------------------------------------------------------------------------------


def test_every_tree_has_one_root_at_the_origin_and_parents_before_children(train: Arrays) -> None:
    nodes, parents, counts = train["nodes"], train["parents"], train["counts"]
    place = np.arange(48)
    real = place < counts[:, None]
    assert len(counts) == TRAIN
    assert counts.min() >= 10
    assert counts.max() <= 48
    assert (nodes[:, 0] == 0).all()
    assert (parents[:, 0] == -1).all()
    assert ((parents[:, 1:] >= 0) == real[:, 1:]).all()
    assert (parents < place)[real].all()


def test_no_hidden_tree_is_public(prepared: data.Prepared, train: Arrays) -> None:
    parts = [train, *(load(prepared.private / f"{name}.npz") for name in ("validation", "test"))]
    trees = [{row.tobytes() for row in part["nodes"]} for part in parts]
    assert [len(found) for found in trees] == [TRAIN, HIDDEN, HIDDEN]
    assert len(trees[0] | trees[1] | trees[2]) == TRAIN + 2 * HIDDEN


@pytest.mark.parametrize("species", SPECIES)
def test_a_species_grows_trees_of_many_forms(nursery: ModuleType, species: str) -> None:
    rng = np.random.default_rng(1)
    grown = [nursery.ordered(*getattr(nursery, species)(rng)) for _ in range(100)]
    fitting = [points for points, _ in grown if 10 <= len(points) <= 48]
    assert len(fitting) >= 90
    assert len({len(points) for points in fitting}) >= 5
    assert max(np.abs(points).max() for points in fitting) < 1.6


# Scores ---------------------------------------------------------------------------------------


def test_trees_grown_anew_are_near_and_new(grade: Grade, nursery: ModuleType) -> None:
    for seed, split in enumerate(("validation", "test")):
        fresh = nursery.forest(np.random.default_rng([99, seed]), HIDDEN, set())
        found = grade(fresh, split)
        assert found["unlikeness"] < 0.1
        assert found["copies"] + found["repeats"] < CHANCE
        assert found["distance"] < WORTHLESS - 0.1


def test_the_hidden_trees_themselves_are_at_no_distance(
    grade: Grade, prepared: data.Prepared
) -> None:
    found = grade(load(prepared.private / "test.npz"))
    assert found["unlikeness"] == 0
    assert found["copies"] + found["repeats"] < CHANCE


def test_the_terms_do_not_care_which_set_is_which(grade: Grade, prepared: data.Prepared) -> None:
    test, validation = (load(prepared.private / f"{name}.npz") for name in ("test", "validation"))
    one, other = grade(validation, "test"), grade(test, "validation")
    assert one["unlikeness"] == pytest.approx(other["unlikeness"])


def test_neither_the_order_of_nodes_nor_padding_nor_place_changes_a_score(
    grade: Grade, nursery: ModuleType
) -> None:
    fresh = nursery.forest(np.random.default_rng(5), HIDDEN, set())
    turned = {name: array.copy() for name, array in fresh.items()}
    for tree, count in enumerate(fresh["counts"]):
        parents = fresh["parents"][tree, :count][::-1]
        turned["nodes"][tree, :count] = fresh["nodes"][tree, :count][::-1] + 3
        turned["parents"][tree, :count] = np.where(parents < 0, -1, count - 1 - parents)
        turned["nodes"][tree, count:] = np.nan
        turned["parents"][tree, count:] = 99
    assert grade(turned) == pytest.approx(grade(fresh), abs=1e-5)


def test_a_single_species_scores_worse_than_the_baseline(grade: Grade, nursery: ModuleType) -> None:
    """The species that is nearest to the mixture of all."""
    rng, trees = np.random.default_rng(3), []
    while len(trees) < HIDDEN:
        points, parents = nursery.ordered(*nursery.oak(rng))
        if len(points) <= 48:
            trees.append((points, parents))
    assert grade(nursery.pack(trees))["distance"] > WORTHLESS


# Cheats ---------------------------------------------------------------------------------------


def shaken(trees: Arrays, by: float) -> Arrays:
    noise = np.random.default_rng(0).normal(0, by, trees["nodes"].shape)
    return {**trees, "nodes": trees["nodes"] + noise}


def bent(trees: Arrays, matrix: Any) -> Arrays:
    return {**trees, "nodes": trees["nodes"] @ np.array(matrix)}


def bent_at_each_node(trees: Arrays, turn: float = 0.1, length: float = 0.2) -> Arrays:
    """Each shoot turned and stretched by chance, with all that grows from it."""
    rng, nodes = np.random.default_rng(0), np.zeros(trees["nodes"].shape)
    for tree, count in enumerate(trees["counts"]):
        turned = np.zeros(count)
        for node in range(1, count):
            parent = trees["parents"][tree, node]
            turned[node] = turned[parent] + rng.normal(0, turn)
            across, up = trees["nodes"][tree, node] - trees["nodes"][tree, parent]
            way = complex(up, across) * np.exp(1j * turned[node] + rng.normal(0, length))
            nodes[tree, node] = nodes[tree, parent] + [way.imag, way.real]
    return {**trees, "nodes": nodes}


def pruned(trees: Arrays) -> Arrays:
    return {**trees, "counts": trees["counts"] - 1}


def leaning(trees: Arrays) -> Arrays:
    nodes = trees["nodes"].copy()
    lean = np.random.default_rng(0).normal(0, 0.1, (len(nodes), 1))
    nodes[:, :, 0] += lean * nodes[:, :, 1]
    return {**trees, "nodes": nodes}


CHEATS: dict[str, Callable[[Arrays], Arrays]] = {
    "copied training trees": lambda trees: trees,
    "copies, mirrored": lambda trees: bent(trees, [[-1, 0], [0, 1]]),
    "copies, shaken a little": lambda trees: shaken(trees, 0.005),
    "copies, shaken hard": lambda trees: shaken(trees, 0.02),
    "copies, a fifth wider": lambda trees: bent(trees, [[1.2, 0], [0, 1]]),
    "copies, leaning by chance": leaning,
    "copies, bent at each node": bent_at_each_node,
    "copies without the last node": pruned,
    "bent copies without the last node": lambda trees: pruned(bent_at_each_node(trees)),
    "ten trees repeated": lambda trees: rows(trees, np.arange(HIDDEN) % 10),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_gains_nothing(grade: Grade, train: Arrays, name: str) -> None:
    assert grade(CHEATS[name](rows(train, slice(HIDDEN))))["distance"] > WORTHLESS


def test_few_new_trees_repeated_gain_nothing(grade: Grade, nursery: ModuleType) -> None:
    fresh = nursery.forest(np.random.default_rng(5), HIDDEN // 2, set())
    found = grade(joined(fresh, shaken(fresh, 0.002)))
    assert found["copies"] + found["repeats"] == pytest.approx(0.52, abs=0.05)
    assert found["distance"] > WORTHLESS


def test_a_few_copies_among_new_trees_cost_more_than_they_bring(
    grade: Grade, nursery: ModuleType, train: Arrays
) -> None:
    fresh = nursery.forest(np.random.default_rng(5), HIDDEN, set())
    found = grade(joined(rows(train, slice(60)), rows(fresh, slice(240))))
    assert found["copies"] == pytest.approx(0.25, abs=0.04)
    assert found["distance"] - found["unlikeness"] > 0.25
