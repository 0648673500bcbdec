"""Fashion-MNIST: what its preparation lays out, what cheats gain, what its grader refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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

TASK = find_task("fashion_mnist")
TWINS = 500  # as tasks/fashion_mnist/derive.py has it


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return data.prepare(TASK, "mini", 0, python_of(TASK))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with grader_of("fashion_mnist") as grader:
        yield grader


def check_layout(prepared: Prepared, train_count: int, validation: int, test: int) -> None:
    train, shown = np.load(prepared.public / "train.npz"), np.load(prepared.public / "test.npz")
    assert set(train.files) == {"image", "label"}
    assert set(shown.files) == {"id", "image"}
    assert train["image"].shape == (train_count, 28, 28)
    assert shown["image"].shape == (validation + test, 28, 28)
    assert train["image"].dtype == shown["image"].dtype == np.uint8
    parts = labels(prepared, "validation"), labels(prepared, "test")
    assert (len(parts[0]), len(parts[1])) == (validation, test)
    assert sorted([*parts[0], *parts[1]]) == shown["id"].tolist()
    known = {image.tobytes() for image in train["image"]}
    assert not known.intersection(image.tobytes() for image in shown["image"])


def test_mini_splits_8000_items_three_ways(prepared: Prepared) -> None:
    check_layout(prepared, 6000, 1000, 1000)
    counts = np.bincount(np.load(prepared.public / "train.npz")["label"], minlength=10)
    counts += np.bincount(list(hidden(prepared).values()), minlength=10)
    assert counts.tolist() == [800] * 10
    assert data.verify(prepared) == []


def test_another_data_seed_hides_other_items(prepared: Prepared) -> None:
    other = data.prepare(TASK, "mini", 1, python_of(TASK))
    check_layout(other, 6000, 1000, 1000)
    seen = [
        {x.tobytes() for x in np.load(p.public / "test.npz")["image"]} for p in (prepared, other)
    ]
    assert len(seen[0] & seen[1]) == pytest.approx(500, abs=100)


def small(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count)


@pytest.mark.parametrize("data_seed", [0, 1])
def test_full_keeps_the_published_test_items_for_the_comparable_data(
    tmp_path: Path, data_seed: int
) -> None:
    """Made here: the published data's shape, few rows, one test item among the training items."""
    folder = tmp_path / "sources" / "zalando-datasets__fashion_mnist__fashion_mnist"
    (x, y), (x_test, y_test) = small(0, 120), small(1, 20)
    x[7] = x_test[3]
    write_split(folder, "train", "image", x, y)
    write_split(folder, "test", "image", x_test, y_test)
    made = run_full(TASK, data_seed, folder.parent, tmp_path / "made")
    truth, shown = labels(made, "test"), np.load(made.public / "test.npz")["image"]
    if data_seed == 0:
        assert {shown[i].tobytes(): label for i, label in truth.items()} == {
            image.tobytes(): label for image, label in zip(x_test, y_test, strict=True)
        }
        # The twin is no training item, but it may be one to validate on.
        train = len(np.load(made.public / "train.npz")["label"])
        check_layout(made, train, 10, 20)
        assert train in (109, 110)
    else:
        check_layout(made, 90, 10, 20)
        everything = [*shown, *np.load(made.public / "train.npz")["image"]]
        published = {image.tobytes() for image in x}
        assert published.issuperset(image.tobytes() for image in everything)


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


def test_order_does_not_matter(grader: Grader, prepared: Prepared) -> None:
    turned = dict(reversed(hidden(prepared).items()))
    assert grade(grader, submission(turned)) == {"accuracy": 1.0}


@pytest.mark.parametrize("label", range(10))
def test_one_class_for_all_gains_nothing(grader: Grader, label: int) -> None:
    assert gain(grader, submission([label] * 2000)) < 0


def test_copied_training_labels_gain_nothing(grader: Grader, prepared: Prepared) -> None:
    copied = np.load(prepared.public / "train.npz")["label"]
    assert gain(grader, submission(copied[:2000].tolist())) < 0


def test_no_hidden_item_can_be_found_among_the_training_items(
    grader: Grader, prepared: Prepared
) -> None:
    """Looking pictures up, mirrored ones too, finds none: what is not found is of class 0."""
    train, test = np.load(prepared.public / "train.npz"), np.load(prepared.public / "test.npz")
    known = np.concatenate([train["image"], train["image"][:, :, ::-1]])
    found = distances(test["image"], known)
    assert found.min() >= TWINS
    named = np.where(found.min(1) < TWINS, np.tile(train["label"], 2)[found.argmin(1)], 0)
    assert gain(grader, submission(named.tolist())) < 0


def test_a_score_that_a_submission_tells_of_itself_counts_for_nothing(grader: Grader) -> None:
    constant = submission([0] * 2000)
    told = constant | {"score.json": '{"accuracy": 1.0}', "results.txt": "accuracy 1.0\n"}
    assert grade(grader, told) == grade(grader, constant)


GOOD = submission([0] * 2000)["submission.csv"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id,label\n", "", "line 1: found header '0,0', expected id,label"),
        ("id,label", "id,label,accuracy", "line 1: found header 'id,label,accuracy'"),
        ("\n5,0\n", "\n5,10\n", "line 7, column label: found '10', expected a whole number from 0"),
        ("\n5,0\n", "\n5,-1\n", "line 7, column label: found '-1'"),
        ("\n5,0\n", "\n5,1.0\n", "line 7, column label: found '1.0'"),
        ("\n5,0\n", "\n5,Sandal\n", "line 7, column label: found 'Sandal'"),
        ("\n5,0\n", "\n5,nan\n", "line 7, column label: found 'nan'"),
        ("\n5,0\n", "\n5,0,0\n", "line 7: found 3 columns, expected 2 (id,label)"),
        ("\n5,0\n", "\n4,0\n", "line 7, column id: '4' was given before, on line 6"),
        ("\n5,0\n", "\n2000,0\n", "line 7, column id: '2000' is not to predict"),
        ("\n5,0\n", "\n", "has 1999 rows, expected 2000: id 5 is missing"),
        ("\n1999,0\n", "\n1999,0\naccuracy,1\n", "column id: 'accuracy' is not to predict"),
    ],
)
def test_a_defect_is_answered_with_its_place(grader: Grader, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(SubmissionError) as caught:
        grade(grader, {"submission.csv": GOOD.replace(old, new, 1)})
    assert said in str(caught.value)
