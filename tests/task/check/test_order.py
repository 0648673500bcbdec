"""Names and order that tell the part or the label of a hidden row are found."""

import csv

import numpy as np
import pytest
from data_files import table

from mlgym.task.check.order import hints

COUNT = 400


def rows_of(labels, parts, ids=None):
    """Files of a task whose hidden rows come in this order."""
    ids = range(len(labels)) if ids is None else ids
    rows = list(zip(ids, labels, parts, strict=True))
    public = {"test.csv": table({"id": [row[0] for row in rows], "x": np.arange(len(rows)) % 7})}
    private = {
        f"{part}.csv": table(
            {
                "id": [key for key, _, of in rows if of == part],
                "label": [label for _, label, of in rows if of == part],
            }
        )
        for part in ("validation", "test")
    }
    return public, private


def shuffled(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, COUNT)
    parts = rng.permutation(["validation"] * (COUNT // 2) + ["test"] * (COUNT // 2))
    return rng, labels, parts


@pytest.mark.parametrize("seed", range(20))
def test_what_was_shuffled_tells_nothing(lay, seed):
    rng, labels, parts = shuffled(seed)
    assert list(hints(lay(*rows_of(labels, parts), ["label"]))) == []
    prices = rng.uniform(size=COUNT)
    assert list(hints(lay(*rows_of(prices, parts, rng.permutation(COUNT)), ["label"]))) == []


def test_the_sound_task_tells_nothing(lay, classes):
    assert list(hints(lay(**classes, predicted=["label"]))) == []


def test_one_part_after_the_other(lay):
    _, labels, parts = shuffled()
    (found, *_) = hints(lay(*rows_of(labels, sorted(parts)), ["label"]))
    assert found.startswith("public/test.csv: the order of the rows tells the hidden part: ")


def test_every_other_row_is_of_one_part(lay):
    _, labels, _ = shuffled()
    found = list(hints(lay(*rows_of(labels, ["test", "validation"] * (COUNT // 2)), ["label"])))
    assert any("the order of the rows tells the hidden part" in each for each in found)


def test_ids_that_tell_the_part_though_the_rows_are_shuffled(lay):
    rng, labels, parts = shuffled()
    ids = np.where(parts == "test", 10_000, 0) + rng.permutation(COUNT)
    (found, *_) = hints(lay(*rows_of(labels, parts, ids), ["label"]))
    assert found.startswith("public/test.csv, column id: the numbers tell the hidden part")


def test_names_that_tell_the_label(lay):
    rng, labels, parts = shuffled()
    words = np.array(["cat", "dog", "cow", "hen"])[labels]
    ids = [
        f"{word}_{number}.png" for word, number in zip(words, rng.permutation(COUNT), strict=True)
    ]
    found = list(hints(lay(*rows_of(labels, parts, ids), ["label"])))
    assert "public/test.csv, column id: the names without their numbers tell the hidden label" in (
        found
    )


@pytest.mark.parametrize(
    "labels",
    [np.arange(COUNT) * 4 // COUNT, np.arange(COUNT) % 4, np.repeat(np.arange(COUNT // 8) % 4, 8)],
    ids=["sorted", "in turn", "in blocks"],
)
def test_classes_in_an_order(lay, labels):
    _, _, parts = shuffled()
    found = list(hints(lay(*rows_of(labels, parts), ["label"])))
    assert any("the order of the rows tells the hidden label" in each for each in found)


def test_prices_in_an_order(lay):
    rng, _, parts = shuffled()
    for prices in (np.arange(COUNT) + rng.normal(0, 100, COUNT), np.sin(np.arange(COUNT) / 9)):
        found = list(hints(lay(*rows_of(prices, parts), ["label"])))
        assert any("tells the hidden label: the rank correlation" in each for each in found)


def test_the_files_are_what_they_seem():
    public, private = rows_of([1, 2], ["test", "validation"])
    assert list(csv.reader(private["test.csv"].splitlines())) == [["id", "label"], ["0", "1"]]
    assert public["test.csv"].startswith("id,x\n0,0\n1,1\n")
