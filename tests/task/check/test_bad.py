"""Bad submissions: made from a valid one of any format, each another one, each really bad."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from data_files import arrays, table

from mlgym.task.check.bad_predictions import Bad, bad_predictions
from mlgym.task.check.bad_programs import Narrow, bad_programs, narrow_programs
from mlgym.task.spec import load_task

WHERE = ("in one place", "everywhere")


def by_name(bad) -> dict[str, Bad]:
    listed = list(bad)
    found = {each.name: each for each in listed}
    assert len(found) == len(listed)
    return found


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


@pytest.fixture
def tables(lay, classes):
    valid = {"submission.csv": classes["public"]["sample_submission.csv"].encode()}
    return valid, by_name(bad_predictions(valid, lay(**classes, predicted=["label"])))


def test_no_bad_table_is_the_valid_one_but_the_constant_that_it_is(tables):
    valid, bad = tables
    same = {name for name, each in bad.items() if each.files == valid}
    constant = "submission.csv: the constant '0' as label"
    assert same == {constant, "submission.csv: the first row's value everywhere as label"}


@pytest.mark.parametrize(
    "name",
    [
        *("empty", "its header alone", "half of the rows", "another header", "other ids", "zeros"),
        *("every row twice", "cut in half", "random bytes", "a row too short", "no header"),
    ],
)
def test_every_defect_of_form_is_among_them(tables, name):
    assert f"submission.csv: {name}" in tables[1]


def test_values_are_spoiled_in_one_place_and_everywhere(tables):
    for value, name in (("nan", "NaN"), ("inf", "an infinity"), ("a word", "words")):
        one = rows(
            tables[1][f"submission.csv: {name} in one place as label"].files["submission.csv"]
        )
        all_of = rows(
            tables[1][f"submission.csv: {name} everywhere as label"].files["submission.csv"]
        )
        assert [row[1] for row in one[1:]].count(value) == 1
        assert {row[1] for row in all_of[1:]} == {value}
        assert [row[0] for row in one] == [row[0] for row in all_of]


def test_every_class_is_tried_as_a_constant_and_the_training_labels_are_copied(tables, classes):
    bad = tables[1]
    constants = {name for name in bad if "the constant" in name}
    assert constants == {f"submission.csv: the constant '{label}' as label" for label in range(4)}
    copied = rows(bad["submission.csv: the training labels as label"].files["submission.csv"])
    labels = [row["label"] for row in csv.DictReader(classes["public"]["train.csv"].splitlines())]
    assert [row[1] for row in copied[1:]] == labels


def test_of_prices_the_mean_and_the_median_are_tried_of_texts_the_most_frequent(lay):
    prices = {"id": range(100), "price": [float(price) for price in range(100)]}
    public = {"train.csv": table({**prices, "text": ["a cat", "a dog"] * 50})}
    folders = lay(public, {})
    price = table({"id": [1, 2, 3], "price": [5, 6, 7]}).encode()
    found = by_name(bad_predictions({"p.csv": price}, folders))
    assert "p.csv: the constant '48.23300970873787' as price" in found
    text = table({"id": [1, 2, 3], "text": ["x", "y", "z"]}).encode()
    assert "p.csv: the constant 'a cat' as text" in by_name(
        bad_predictions({"p.csv": text}, folders)
    )


def test_bad_json_is_json_of_another_kind(lay):
    valid = {"weights.json": json.dumps({"a": 0.25, "b": [0.5, 0.25]}).encode()}
    found = by_name(bad_predictions(valid, lay({}, {})))
    name = "weights.json: NaN for every number"
    loaded = json.loads(found[name].files["weights.json"])
    assert all(map(math.isnan, [loaded["a"], *loaded["b"]]))
    mean = json.loads(found["weights.json: the mean for every number"].files["weights.json"])
    assert mean["b"][0] == pytest.approx(1 / 3)
    one = json.loads(found["weights.json: text for one number"].files["weights.json"])
    assert one == {"a": "a word", "b": [0.5, 0.25]}
    assert b"9" * 400 in found["weights.json: 400 digits for every number"].files["weights.json"]
    assert json.loads(found["weights.json: half of its entries"].files["weights.json"]) == {
        "a": 0.25
    }


def test_bad_arrays_have_other_shapes_types_and_values(lay):
    points = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    valid = {"samples.npz": arrays(points=points, count=np.array([1, 2, 3, 3]))}
    public = {"train.npz": arrays(points=np.ones((9, 3, 2)), count=np.arange(9))}
    found = by_name(bad_predictions(valid, lay(public, {})))

    def load(name: str):
        content = found[f"samples.npz: {name}"].files["samples.npz"]
        return np.load(io.BytesIO(content), allow_pickle=False)

    assert np.isnan(load("NaN everywhere as points")["points"]).all()
    assert len(load("half of the rows")["points"]) == 2
    assert load("one axis less as points")["points"].ndim == 1
    assert (load("the first row everywhere")["points"] == points[0]).all()
    assert set(load("the constant 3 as count")["count"]) == {3}
    assert "count" not in load("no count")
    copied = load("a copy of train.npz")
    assert (copied["points"] == 1).all()
    assert list(copied["count"]) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="allow_pickle"):
        load("a pickle as points")["points"]
    with pytest.raises((ValueError, MemoryError)):
        load("a claim of a terabyte as points")["points"]


def test_bad_lines_of_a_text(lay):
    found = by_name(bad_predictions({"answer.txt": b"1 2\n3 4\n"}, lay({}, {})))
    assert found["answer.txt: nan for every word"].files == {"answer.txt": b"nan nan nan nan"}
    assert found["answer.txt: half of its lines"].files == {"answer.txt": b"1 2\n"}


@pytest.fixture
def program_task(number_task):
    text = (number_task / "task.yaml").read_text()
    text = text.replace("predictions, paths: [answer.txt]", "model, paths: [policy.py, weights/]")
    (number_task / "task.yaml").write_text(text)
    return load_task(number_task)


POLICY = b"""\
import math
import random

class Policy:
    def act(self, x, state):
        return [x, 2.0], state

def load(folder):
    return Policy()

def move(history):
    return helper(len(history))

def helper(number):
    return (number, number)
"""


def outcome(program: bytes):
    names: dict = {"__name__": "policy"}
    exec(compile(program, "policy.py", "exec"), names)  # noqa: S102 - a program of this test
    return names


def test_programs_are_spoiled_behind_their_own_code(program_task):
    valid = {"policy.py": POLICY, "weights/a": b"12345678"}
    bad = by_name(bad_programs(program_task, valid))
    for name, answer in {
        "answers None": None,
        "answers text": "a word",
        "answers in another shape": [1, 1, 1, 1],  # the helper's answer was spoiled too
        "answers other numbers": [10**9, 10**9],
    }.items():
        assert bad[name].files["weights/a"] == b"12345678"
        names = outcome(bad[name].files["policy.py"])
        assert names["move"]([1]) == answer
        if answer is not None:
            assert type(names["load"]("weights")).__name__ == "Policy"
    nan = outcome(bad["answers NaN"].files["policy.py"])
    assert math.isnan(nan["move"]([1])[0])
    assert math.isnan(nan["load"]("weights").act(1.0, None)[0][0])
    with pytest.raises(RuntimeError, match="on purpose"):
        outcome(bad["crashes when it is called"].files["policy.py"])["move"]([])
    assert bad["weights/a: cut in half"].files["weights/a"] == b"1234"


def test_without_a_valid_program_there_are_those_that_need_none(program_task):
    bad = by_name(bad_programs(program_task, None))
    assert "crashes when it is loaded" in bad
    assert "looks for answers and a network" in bad
    assert "answers None" not in bad
    for each in bad.values():
        assert set(each.files) == {"policy.py"}
    compile(bad["looks for answers and a network"].files["policy.py"], "policy.py", "exec")


def test_what_takes_long_is_graded_within_narrower_limits(program_task):
    narrow = list(narrow_programs(program_task, {"policy.py": POLICY}))
    assert {each.bad.name for each in narrow} == {"takes all memory", "hangs when it is called"}
    assert all(isinstance(each, Narrow) for each in narrow)
    limits = [each.task(program_task).spec for each in narrow]
    assert min(spec.resources.memory_gb for spec in limits) <= 2
    assert min(spec.grader.timeout_s for spec in limits) <= 20
    assert all(spec.grader.timeout_s <= program_task.spec.grader.timeout_s for spec in limits)
