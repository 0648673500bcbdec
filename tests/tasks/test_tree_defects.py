"""Tree skeletons: what is no set of trees is refused, with the tree and the node."""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nursery import HIDDEN, Arrays, Grade, rows, written
from nursery import grade as grade
from nursery import prepared as prepared
from nursery import train as train


def spoiled(**changes: Any) -> Callable[[Arrays], Arrays]:
    """Sets single places: `nodes=((3, 2), nan)`."""

    def spoil(trees: Arrays) -> Arrays:
        arrays = {name: array.copy() for name, array in trees.items()}
        for name, (place, value) in changes.items():
            arrays[name][place] = value
        return arrays

    return spoil


REFUSED: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "NaN": (spoiled(nodes=((3, 2), np.nan)), "node 2 of tree 3 is at [nan, nan]"),
    "an infinity": (spoiled(nodes=((3, 2, 1), np.inf)), "node 2 of tree 3 is at"),
    "far away": (spoiled(nodes=((3, 2, 1), 11)), "expected finite numbers from -10 to 10"),
    "two roots": (spoiled(parents=((4, 5), -1)), "tree 4 has 2 roots"),
    "no root": (spoiled(parents=((4, 0), 1)), "tree 4 has 0 roots"),
    "its own parent": (spoiled(parents=((4, 5), 5)), "node 5 of tree 4 does not lead to the root"),
    "a cycle": (spoiled(parents=((4, 1), 3)), "of tree 4 does not lead to the root: there is a"),
    "no such parent": (spoiled(parents=((4, 5), 48)), "node 5 of tree 4 has parent 48"),
    "a parent below -1": (spoiled(parents=((4, 5), -2)), "node 5 of tree 4 has parent -2"),
    "one node": (spoiled(counts=(6, 1)), "tree 6 has 1 nodes, expected 2 to 48"),
    "49 nodes": (spoiled(counts=(6, 49)), "tree 6 has 49 nodes, expected 2 to 48"),
    "too few trees": (
        lambda trees: rows(trees, slice(HIDDEN - 1)),
        "has shape (299, 48, 2), expected 300",
    ),
    "three axes": (
        lambda trees: {**trees, "nodes": np.zeros((300, 48, 3))},
        "has shape (300, 48, 3), expected (300, M, 2)",
    ),
    "other widths": (
        lambda trees: {**trees, "parents": trees["parents"][:, :40]},
        "parents: has shape (300, 40), expected (300, 48)",
    ),
    "fractions": (
        lambda trees: {**trees, "parents": trees["parents"] + 0.5},
        "parents: holds float64, expected whole numbers",
    ),
    "words": (lambda trees: {**trees, "counts": np.full(HIDDEN, "x")}, "counts: holds <U1"),
    "no counts": (
        lambda trees: {name: trees[name] for name in ("nodes", "parents")},
        "has no array 'counts'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_defect_is_refused_with_its_place(grade: Grade, train: Arrays, name: str) -> None:
    spoil, said = REFUSED[name]
    assert said in refusal(grade, spoil(rows(train, slice(HIDDEN))))


def test_what_is_no_archive_of_arrays_is_refused(grade: Grade, train: Arrays) -> None:
    whole = written(rows(train, slice(HIDDEN)))
    pickled = {**rows(train, slice(HIDDEN)), "counts": np.array([{}] * HIDDEN, dtype=object)}
    promised = io.BytesIO()
    with zipfile.ZipFile(promised, "w") as archive:
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (300, 48, 2), }\n"
        archive.writestr("nodes.npy", b"\x93NUMPY\x01\x00" + bytes([len(head), 0]) + head)
    assert "is no readable .npz file" in refusal(grade, b"no archive")
    assert "is no readable .npz file" in refusal(grade, whole[: len(whole) // 2])
    assert "counts: holds object" in refusal(grade, written(pickled))
    assert "ends after 0 of 115200 bytes" in refusal(grade, promised.getvalue())


def refusal(grade: Grade, arrays: Arrays | bytes) -> str:
    refused = importlib.import_module("mlgym_kit").SubmissionError
    with pytest.raises(refused) as caught:
        grade(arrays)
    message = str(caught.value)
    assert message.startswith("samples.npz: ")
    assert len(message) < 300
    return message
