"""The sample submission is found wherever a task may have put it."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_files import write
from preparing import rewrite

from mlgym.task.check import find_sample
from mlgym.task.check.sample import predicted_columns
from mlgym.task.data import Prepared
from mlgym.task.spec import load_task

VALID = b"id,label\n1,0\n"


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return Prepared(tmp_path / "public", tmp_path / "private", "mini", 0)


@pytest.mark.parametrize(
    "place",
    [
        "workspace/submission.csv",
        "workspace/sample_submission/submission.csv",
        "workspace/sample_submission.csv",
        "public/sample_submission.csv",
        "public/sample.csv",
        "public/sample_submission/submission.csv",
    ],
)
def test_a_file_is_found_under_its_own_name_and_as_a_sample(toy_task, prepared, tmp_path, place):
    (toy_task / "workspace" / "sample_submission.csv").unlink()
    task = load_task(toy_task)
    assert find_sample(task, prepared) is None
    assert predicted_columns(task, prepared) == []
    root = toy_task if place.startswith("workspace") else tmp_path
    write(root / place, VALID)
    assert find_sample(task, prepared) == {"submission.csv": VALID}
    assert predicted_columns(task, prepared) == ["label"]


def test_a_model_s_files_are_found_together_and_its_weights_may_be_missing(toy_task, prepared):
    rewrite(
        toy_task, "task.yaml", "predictions, paths: [submission.csv]", "model, paths: [a.py, w/]"
    )
    assert find_sample(load_task(toy_task), prepared) is None
    sample = toy_task / "workspace" / "sample_submission"
    write(sample / "a.py", b"1")
    assert find_sample(load_task(toy_task), prepared) == {"a.py": b"1"}
    write(sample / "w" / "deep" / "x", b"2")
    assert find_sample(load_task(toy_task), prepared) == {"a.py": b"1", "w/deep/x": b"2"}
