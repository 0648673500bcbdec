"""Answers in public files are found, by file and place; what only looks like them is not."""

import csv
import gzip
import json
import random

import numpy as np
import pytest
from data_files import arrays, npy, table

from mlgym.task.check.secrecy import leaks


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def truth(files) -> dict[str, str]:
    """The hidden labels by id."""
    return {row["id"]: row["label"] for text in files["private"].values() for row in rows(text)}


def with_column(text: str, name: str, values) -> str:
    old = rows(text)
    columns = {key: [row[key] for row in old] for key in old[0]}
    return table({**columns, name: list(values)})


def test_a_sound_task_gives_nothing_away(lay, classes):
    assert list(leaks(lay(**classes, predicted=["label"]))) == []
    assert list(leaks(lay(**classes))) == []


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_sample_submission_with_true_labels(lay, classes, share):
    hidden = truth(classes)
    values = [hidden[key] if place < share * 200 else "0" for place, key in enumerate(hidden)]
    classes["public"]["sample_submission.csv"] = table({"id": list(hidden), "label": values})
    found = list(leaks(lay(**classes, predicted=["label"])))
    told = [each for each in found if ", column label: is in " in each]
    assert len(told) == 1
    assert told[0].startswith("public/sample_submission.csv, ")
    assert "private/" in told[0]


def test_a_label_column_beside_the_inputs_even_where_it_is_wrong(lay, classes):
    classes["public"]["test.csv"] = with_column(classes["public"]["test.csv"], "label", [9] * 200)
    (found,) = leaks(lay(**classes, predicted=["label"]))
    assert found.startswith("public/test.csv, column label: row ")
    assert " holds the label of a row of private/" in found


def test_the_labels_under_another_name(lay, classes):
    hidden, text = truth(classes), classes["public"]["test.csv"]
    values = [hidden[row["id"]] for row in rows(text)]
    classes["public"]["test.csv"] = with_column(text, "z", values)
    (found,) = leaks(lay(**classes, predicted=["label"]))
    assert found.startswith("public/test.csv, column z: is in 100% of 100 rows the hidden label")


def test_the_labels_as_other_words(lay, classes):
    hidden, text = truth(classes), classes["public"]["test.csv"]
    words = ["ash", "beech", "cedar", "fir"]
    values = [words[int(hidden[row["id"]])] for row in rows(text)]
    classes["public"]["test.csv"] = with_column(text, "tree", values)
    (found,) = leaks(lay(**classes, predicted=["label"]))
    assert found.startswith("public/test.csv, column tree: decides the hidden label")


def test_prices_in_another_unit(lay):
    rng = np.random.default_rng(1)
    price, ids = rng.uniform(1, 9, 100).round(3), np.arange(100)
    inputs = {"id": ids, "size": price + rng.normal(0, 0.5, 100), "tax": (price * 1.9 + 3).round(4)}
    files = {"test.csv": table(inputs)}
    (found,) = leaks(lay(files, {"test.csv": table({"id": ids, "price": price})}, ["price"]))
    assert found.startswith("public/test.csv, column tax: orders all rows as the hidden price")


def test_the_labels_as_an_array_in_the_order_of_the_inputs(lay, classes):
    hidden = truth(classes)
    values = [int(hidden[row["id"]]) for row in rows(classes["public"]["test.csv"])]
    classes["public"]["extra.npz"] = arrays(noise=np.zeros(200), y=values)
    (found,) = leaks(lay(**classes, predicted=["label"]))
    assert found.startswith("public/extra.npz, column y: is in 100% of 100 rows")


def test_a_private_file_under_another_name_and_packed(lay, classes):
    secret = classes["private"]["test.csv"].encode()
    classes["public"]["notes/cache.bin"] = b"\0\1" + secret + b"\2"
    classes["public"]["old.gz"] = gzip.compress(secret)
    found = list(leaks(lay(**classes, predicted=["label"])))
    assert "public/notes/cache.bin: holds the whole content of private/test.csv" in found
    assert "public/old.gz: holds the whole content of private/test.csv" in found


def test_lines_of_answers_in_a_starter_file(lay, classes):
    lines = classes["private"]["test.csv"].splitlines()[1:60]
    notes = "# Notes\n\nWhat we know:\n" + "\n".join(reversed(lines)) + "\n"
    (found,) = leaks(lay(**classes, predicted=["label"], starters={"NOTES.md": notes}))
    assert found.startswith("workspace/NOTES.md: holds 59 lines of private/test.csv, '")


def test_hidden_rows_among_the_training_rows(lay, classes):
    hidden = list(truth(classes).items())
    more = "".join(f"{key},0.5,red,{label}\n" for key, label in hidden[:2])
    classes["public"]["train.csv"] += more
    found = list(leaks(lay(**classes, predicted=["label"])))
    assert found == []  # two rows: no more than chance allows to say by values alone
    classes["public"]["train.csv"] += "".join(f"{k},0.5,red,{label}\n" for k, label in hidden[2:9])
    (found,) = leaks(lay(**classes, predicted=["label"]))
    assert found.startswith("public/train.csv, column label: row 201 holds the label of a row of")


def test_pieces_of_a_hidden_text(lay):
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefgh", k=6)) for _ in range(3000)]
    hidden = " ".join(draw.choices(words, k=4000))
    public = {"train.txt": " ".join(draw.choices(words, k=9000)) + hidden[3000:8000]}
    (found,) = leaks(lay(public, {"test.txt": hidden}))
    assert found.startswith("public/train.txt: holds ")
    assert found.endswith(" of the pieces tried of private/test.txt")
    clean = {"train.txt": " ".join(draw.choices(words, k=9000)) + hidden[3000:3150]}
    assert list(leaks(lay(clean, {"test.txt": hidden}))) == []


def test_hidden_arrays_among_the_public_ones(lay):
    rng = np.random.default_rng(0)
    trees = rng.normal(size=(60, 4, 2)).astype(np.float32)
    private = {"test.npz": arrays(trees=trees[:20])}
    assert list(leaks(lay({"train.npz": arrays(trees=trees[20:])}, private))) == []
    (found,) = leaks(lay({"train.npz": arrays(trees=trees[19:])}, private))
    assert found == (
        "public/train.npz: holds 1 of 20 rows of private/test.npz: row 1 is row 20 there"
    )


def test_arrays_that_are_alike_in_one_respect_alone_are_no_leak(lay):
    """Trees of one shape, say: the same parents, other places."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(60, 4, 2))
    parents = np.tile([[-1, 0, 1, 1], [-1, 0, 0, 2]], (30, 1))
    private = {"test.npz": arrays(places=places[:20], parents=parents[:20])}
    public = {"train.npz": arrays(places=places[20:], parents=parents[20:])}
    assert list(leaks(lay(public, private))) == []
    public = {"train.npz": arrays(places=places[19:], parents=parents[19:])}
    assert len(list(leaks(lay(public, private)))) == 1


def test_classes_written_as_arrays_are_no_rows_of_their_own(lay):
    one_hot = np.eye(3)[np.random.default_rng(0).integers(0, 3, 80)]
    public, private = {"y.npz": arrays(y=one_hot[20:])}, {"y.npz": arrays(y=one_hot[:20])}
    assert list(leaks(lay(public, private))) == []


def test_hidden_tokens_among_the_public_ones(lay):
    tokens = np.random.default_rng(0).integers(0, 1000, 9000).astype(np.uint16)
    private = {"test.npy": npy(tokens[:3000])}
    assert list(leaks(lay({"train.npz": arrays(tokens=tokens[3000:])}, private))) == []
    (found,) = leaks(lay({"train.npz": arrays(tokens=tokens[2000:])}, private))
    assert found.startswith("public/train.npz: holds ")
    assert found.endswith(" of the pieces tried of private/test.npy")


def test_labels_without_names_in_another_format(lay):
    prices = np.random.default_rng(0).normal(size=50).round(3)
    public = {"notes.csv": table({"a": range(50), "b": prices})}
    (found,) = leaks(lay(public, {"test.npy": npy(prices)}))
    assert found.startswith("public/notes.csv, column b: is in 100% of 50 rows the hidden test")


def test_inputs_that_the_answers_repeat_are_no_leak(lay):
    rng = np.random.default_rng(0)
    images, ids = rng.integers(0, 256, (40, 3, 3), dtype=np.uint8), rng.permutation(40)
    labels = rng.integers(0, 3, 40)
    private = {"test.npz": arrays(ids=ids, images=images, labels=labels)}
    assert list(leaks(lay({"test.npz": arrays(ids=ids, images=images)}, private))) == []
    both = {"test.npz": arrays(ids=ids, images=images, labels=labels)}
    (found,) = (each for each in leaks(lay(both, private)) if "column labels" in each)
    assert found.startswith("public/test.npz, column labels: ")


def test_captions_that_other_pictures_have_too_are_no_leak(lay):
    texts = [f"a {size} {thing}" for size in ("red", "big") for thing in ("cat", "dog", "cup")]
    draw = random.Random(0)
    train = [{"id": number, "captions": draw.sample(texts, 3)} for number in range(200)]
    answers = [{"id": 1000 + number, "captions": draw.sample(texts, 3)} for number in range(100)]
    public = {"train.json": json.dumps(train), "test.json": json.dumps([r["id"] for r in answers])}
    assert list(leaks(lay(public, {"test.json": json.dumps(answers)}, ["captions"]))) == []
