"""Rows to predict that are training rows too are found, with both places."""

import numpy as np
from data_files import arrays, table

from mlgym.task.check.twins import twins


def test_a_sound_task_has_none(lay, classes):
    assert list(twins(lay(**classes, predicted=["label"]))) == []


def test_a_row_with_the_same_inputs_under_another_id(lay, classes):
    line = classes["public"]["test.csv"].splitlines()[7]
    inputs = line.partition(",")[2]
    classes["public"]["train.csv"] += f"999,{inputs},2\n"
    (found,) = twins(lay(**classes, predicted=["label"]))
    assert found.startswith("public/test.csv: 1 of 100 rows of private/")
    assert found.endswith("are in public/train.csv too: row 7 is row 201")


def test_an_image_that_is_in_both_parts_whatever_the_arrays_are_called(lay):
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), dtype=np.uint8)
    labels = np.arange(50) % 3
    images[3] = images[40]
    public = {
        "train.npz": arrays(x_train=images[20:], y_train=labels[20:]),
        "test.npz": arrays(x_test=images[:20]),
    }
    private = {"labels.npz": arrays(y=labels[:20])}
    (found,) = twins(lay(public, private, ["y"]))
    assert found == (
        "public/test.npz: 1 of 20 rows of private/labels.npz are in public/train.npz too: "
        "row 4 is row 21"
    )
    images[3] = 0
    public["test.npz"] = arrays(x_test=images[:20])
    assert list(twins(lay(public, private, ["y"]))) == []


def test_a_file_of_a_hidden_row_that_is_a_training_file_too(lay):
    public = {f"images/{name}.png": f"pixels of {name}" for name in "abcdef"}
    public["images/c.png"] = public["images/e.png"]
    private = {"test.csv": table({"id": ["a", "b", "c"], "label": [0, 1, 0]})}
    (found,) = twins(lay(public, private, ["label"]))
    assert found == "public/images/c.png: has the content of public/images/e.png"
