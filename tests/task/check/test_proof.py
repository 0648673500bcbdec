"""`check_task` finds a sound task sound, and says what is wrong with a broken one."""

import sys
from pathlib import Path

import pytest

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.check import check_task, measure_baseline
from mlgym.task.data import prepare
from mlgym.task.spec import load_task

PYTHON = Path(sys.executable)
BUBBLEWRAP = load_backend("bubblewrap")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> None:
    """A cache of this test's own, but for the image, which takes a minute to build."""
    environments = build_environment(load_image("base"), print).parent
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "envs").symlink_to(environments)
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path / "home"))


def failing(folder: Path) -> dict[str, str]:
    report = check_task(load_task(folder), "mini", BUBBLEWRAP, PYTHON)
    assert report.ok == all(finding.ok for finding in report.findings)
    return {finding.name: finding.detail for finding in report.findings if not finding.ok}


def rewrite(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_a_sound_task_is_found_sound(toy_task):
    lines: list[str] = []
    report = check_task(load_task(toy_task), "mini", BUBBLEWRAP, PYTHON, lines.append)
    assert report.ok
    details = {finding.name: finding.detail for finding in report.findings}
    assert list(details) == [
        "the spec loads",
        "the image exists",
        "data prepared twice is the same",
        "the starter files explain themselves",
        "no image holds the data's source",
        "no public file holds an answer",
        "no row to predict has a public label",
        "neither names nor order tell",
        "the baseline reproduces its committed score",
        "the solution reaches the target",
        "grading twice gives the same score",
        "the time budgets are kept",
        "a sample submission is shipped and graded",
        "bad files are refused before any grading",
        "bad submissions gain nothing",
    ]
    assert "checking: the solution reaches the target" in lines
    said = details["the baseline reproduces its committed score"]
    assert said.startswith("error 2 (0.000 normalized; ran ")
    assert " s of CPU" in said
    assert "6 of 6" in details["bad files are refused before any grading"]


def test_data_that_follows_the_clock_is_found_and_nothing_is_built_on_it(toy_task):
    rewrite(toy_task, "data.py", "random.seed(", "random.seed(); (")
    found = failing(toy_task)
    assert list(found) == ["data prepared twice is the same"]
    assert "public/part/numbers.txt: sum" in found["data prepared twice is the same"]


def test_a_wrong_committed_baseline_and_target_are_found(toy_task):
    rewrite(toy_task, "task.yaml", "{error: 2}", "{error: 3}")
    rewrite(toy_task, "task.yaml", "{error: 0}", "{error: 1}")
    found = failing(toy_task)
    assert "error 2 " in found["the baseline reproduces its committed score"]
    assert "expected 3 within 0.001" in found["the baseline reproduces its committed score"]
    assert "expected 1 within 0.001" in found["the solution reaches the target"]


def test_a_command_that_fails_is_found_with_its_output(toy_task):
    rewrite(toy_task, "solution/solution.py", "numbers =", "raise LookupError('lost'); numbers =")
    detail = failing(toy_task)["the solution reaches the target"]
    assert "`python solution.py` ended with exit code 1" in detail
    assert "LookupError: lost" in detail


def test_a_baseline_without_a_submission_is_found(toy_task):
    rewrite(toy_task, "workspace/baseline.py", "submission.csv", "elsewhere.csv")
    assert "submission.csv" in failing(toy_task)["the baseline reproduces its committed score"]


def test_a_grader_that_throws_dice_is_found(toy_task):
    rewrite(toy_task, "grader/grade.py", "/ len(wanted)}", "+ __import__('random').random()}")
    assert "grading twice gives the same score" in failing(toy_task)


def test_an_unknown_image_is_found(toy_task):
    rewrite(toy_task, "task.yaml", "image: base", "image: bass")
    found = failing(toy_task)
    assert list(found) == ["the image exists"]
    assert "unknown image 'bass'. Did you mean base?" in found["the image exists"]


def test_the_baseline_and_the_solution_are_measured_over_seeds(toy_task):
    rewrite(toy_task, "workspace/baseline.py", "n + 2", "n + 2 + int(os.environ['SEED'])")
    rewrite(toy_task, "workspace/baseline.py", "numbers = ", "import os; numbers = ")
    task = load_task(toy_task)
    prepared = prepare(task, "mini", 0, PYTHON)
    baseline, solution = measure_baseline(task, prepared, BUBBLEWRAP, seeds=3)
    assert [values["error"] for values in baseline.metrics] == [2.0, 3.0, 4.0]
    assert (baseline.mean("error"), baseline.spread("error")) == (3.0, 2.0)
    assert (solution.mean("error"), solution.spread("error")) == (0.0, 0.0)
    assert len(baseline.durations_s) == 3
