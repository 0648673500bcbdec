"""Small colour pictures: what their preparation lays out, and what cheats gain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import distances, hidden, labels, python_of, run_full, submission, write_split
from policies import grade, grader_of

from mlgym.errors import SubmissionError
from mlgym.task import data
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.scale import normalized
from mlgym.task.spec import find_task

TASK = find_task("cifar10")


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return data.prepare(TASK, "mini", 0, python_of(TASK))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with grader_of("cifar10") as grader:
        yield grader


def arrays(prepared: Prepared) -> tuple[Any, Any]:
    return np.load(prepared.public / "train.npz"), np.load(prepared.public / "test.npz")


def check_layout(prepared: Prepared, train_count: int, validation: int, test: int) -> None:
    train, shown = arrays(prepared)
    assert set(train.files) == {"image", "label"}
    assert set(shown.files) == {"id", "image"}
    assert train["image"].shape == (train_count, 32, 32, 3)
    assert shown["image"].shape == (validation + test, 32, 32, 3)
    assert train["image"].dtype == shown["image"].dtype == np.uint8
    parts = labels(prepared, "validation"), labels(prepared, "test")
    assert (len(parts[0]), len(parts[1])) == (validation, test)
    assert sorted([*parts[0], *parts[1]]) == shown["id"].tolist()
    known = {image.tobytes() for image in train["image"]}
    assert not known.intersection(image.tobytes() for image in shown["image"])
    assert len((prepared.public / "classes.txt").read_text().split()) == 10


def test_mini_composes_12000_pictures(prepared: Prepared) -> None:
    check_layout(prepared, 10_000, 1000, 1000)
    counts = np.bincount(arrays(prepared)[0]["label"], minlength=10)
    assert counts.min() > 900
    assert data.verify(prepared) == []


def test_mini_does_not_pretend_to_be_another_data_set() -> None:
    assert "CIFAR" not in TASK.brief_text("mini")
    assert "CIFAR-10" in TASK.brief_text("full")


def test_the_items_are_those_of_fashion_mnist() -> None:
    """One file in two tasks, which the repository stores once; and one grader."""
    for name in ("items.png", "grader/grade.py"):
        other = find_task("fashion_mnist").folder / name
        assert (TASK.folder / name).read_bytes() == other.read_bytes()


def small(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 10, count)


@pytest.mark.parametrize("data_seed", [0, 1])
def test_full_keeps_the_published_test_pictures_for_the_comparable_data(
    tmp_path: Path, data_seed: int
) -> None:
    """Made here: the published data's shape, few rows."""
    folder = tmp_path / "sources" / "uoft-cs__cifar10"
    (x, y), (x_test, y_test) = small(0, 100), small(1, 20)
    write_split(folder, "train", "img", x, y)
    write_split(folder, "test", "img", x_test, y_test)
    made = run_full(TASK, data_seed, folder.parent, tmp_path / "made")
    check_layout(made, 90 if data_seed == 0 else 70, 10, 20)
    train, shown = arrays(made)
    of = x_test if data_seed == 0 else x
    classes = y_test if data_seed == 0 else y
    known = {image.tobytes(): label for image, label in zip(of, classes, strict=True)}
    for row, label in labels(made, "test").items():
        assert known[shown["image"][row].tobytes()] == label
    published = {image.tobytes() for image in x}
    assert published.issuperset(image.tobytes() for image in train["image"])


def gain(grader: Grader, files: dict[str, str]) -> float:
    return normalized(TASK, "mini", grade(grader, files)["accuracy"])


def test_the_truth_scores_one_and_each_split_by_its_own_rows(
    grader: Grader, prepared: Prepared
) -> None:
    truth = hidden(prepared)
    assert grade(grader, submission(truth)) == {"accuracy": 1.0}
    spoiled = truth | dict.fromkeys(labels(prepared, "validation"), 0)
    assert grade(grader, submission(spoiled), "test") == {"accuracy": 1.0}
    assert grade(grader, submission(spoiled), "validation")["accuracy"] < 0.2


@pytest.mark.parametrize("label", range(10))
def test_one_class_for_all_gains_nothing(grader: Grader, label: int) -> None:
    assert gain(grader, submission([label] * 2000)) < 0


def test_copied_training_labels_gain_nothing(grader: Grader, prepared: Prepared) -> None:
    copied = arrays(prepared)[0]["label"]
    assert gain(grader, submission(copied[:2000].tolist())) < 0


def test_the_nearest_training_picture_tells_nothing(grader: Grader, prepared: Prepared) -> None:
    """No item is on both sides: looking pictures up by their pixels earns less than learning."""
    train, test = arrays(prepared)
    named = train["label"][distances(test["image"], train["image"]).argmin(1)]
    assert gain(grader, submission(named.tolist())) < 0


def test_a_score_that_a_submission_tells_of_itself_counts_for_nothing(grader: Grader) -> None:
    constant = submission([0] * 2000)
    told = constant | {"score.json": '{"accuracy": 1.0}', "results.txt": "accuracy 1.0\n"}
    assert grade(grader, told) == grade(grader, constant)
    line = constant["submission.csv"] + "accuracy,1\n"
    with pytest.raises(SubmissionError, match="line 2002, column id: 'accuracy' is not to predict"):
        grade(grader, {"submission.csv": line})


def test_class_names_are_no_labels(grader: Grader) -> None:
    names = submission([0] * 2000)["submission.csv"].replace("\n5,0\n", "\n5,dress\n")
    with pytest.raises(SubmissionError, match="line 7, column label: found 'dress', expected a wh"):
        grade(grader, {"submission.csv": names})
