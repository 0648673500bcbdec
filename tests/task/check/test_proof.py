"""`check_task` finds a sound task sound, and says what is wrong with a broken one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from preparing import rewrite

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.check import bench, check_task
from mlgym.task.check.claims import RefutedError
from mlgym.task.data import prepare
from mlgym.task.spec import load_task
from mlgym.task.trial import measure_baseline

PYTHON = Path(sys.executable)
BUBBLEWRAP = load_backend("bubblewrap")
BASELINE = "the baseline reproduces its committed score"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> None:
    """A cache of this test's own, but for the image, which takes a minute to build."""
    environments = build_environment(load_image("base"), print).parent
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "envs").symlink_to(environments)
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path / "home"))


def failing(folder: Path) -> dict[str, str]:
    """What a reduced check finds wrong."""
    report = check_task(load_task(folder), "mini", BUBBLEWRAP, PYTHON, reduced=True)
    assert report.ok == all(finding.ok for finding in report.findings)
    return {finding.name: finding.detail for finding in report.findings if not finding.ok}


def bench_of(folder: Path) -> bench.Bench:
    """The claims that take runs, one by one."""
    task = load_task(folder)
    return bench.Bench(task, prepare(task, "mini", 0, PYTHON), BUBBLEWRAP, None, reduced=False)


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
        BASELINE,
        "the solution reaches the target",
        "grading twice gives the same score",
        "the time budgets are kept",
        "a sample submission is shipped and graded",
        "bad files are refused before any grading",
        "bad submissions gain nothing",
    ]
    assert "checking: the solution reaches the target" in lines
    assert details[BASELINE].startswith("error 2 (0.000 normalized; ran ")
    assert " s of CPU" in details[BASELINE]
    assert details["bad files are refused before any grading"] == "6 of 6"


def test_a_reduced_check_runs_neither_baseline_nor_solution(toy_task):
    for name in ("workspace/baseline.py", "solution/solution.py"):
        (toy_task / name).write_text("raise LookupError\n")
    report = check_task(load_task(toy_task), "mini", BUBBLEWRAP, PYTHON, reduced=True)
    assert report.ok
    names = [finding.name for finding in report.findings]
    assert "few bad submissions gain nothing" in names
    assert not [name for name in names if "baseline" in name or "solution" in name]


def test_data_that_follows_the_clock_is_found_and_nothing_is_built_on_it(toy_task):
    rewrite(toy_task, "data.py", "random.seed(", "random.seed(); (")
    found = failing(toy_task)
    assert list(found) == ["data prepared twice is the same"]
    assert "public/part/numbers.txt: sum" in found["data prepared twice is the same"]


def test_an_unknown_image_is_found(toy_task):
    rewrite(toy_task, "task.yaml", "image: base", "image: bass")
    found = failing(toy_task)
    assert list(found) == ["the image exists"]
    assert "unknown image 'bass'. Did you mean base?" in found["the image exists"]


def test_what_a_task_must_ship_and_must_not_install_is_told(toy_task):
    (toy_task / "workspace" / "README.md").unlink()
    wheel = "{package: Scikit_Learn, version: '1.0', sha256: " + "a" * 64 + ", profiles: [full]}"
    rewrite(toy_task, "task.yaml", "data: data.py", f"data: data.py\nsources: [{wheel}]")
    found = failing(toy_task)
    assert set(found) == {
        "the starter files explain themselves",
        "no image holds the data's source",
    }
    assert "Scikit_Learn" in found["no image holds the data's source"]


def test_an_answer_in_a_public_file_is_found_by_file(toy_task):
    copy = 'shutil.copy(private / "squares.txt", public / "part" / "cache.txt")'
    text = (toy_task / "data.py").read_text()
    (toy_task / "data.py").write_text(f"import shutil\n\n{text}    {copy}\n")
    assert failing(toy_task) == {
        "no public file holds an answer": (
            "public/part/cache.txt: holds the whole content of private/squares.txt"
        )
    }


def test_a_missing_sample_leaves_nothing_to_spoil(toy_task):
    (toy_task / "workspace" / "sample_submission.csv").unlink()
    found = failing(toy_task)
    assert set(found) == {
        "a sample submission is shipped and graded",
        "few bad submissions gain nothing",
    }


def test_wrong_committed_figures_are_found(toy_task):
    rewrite(toy_task, "task.yaml", "{error: 2}", "{error: 3}")
    rewrite(toy_task, "task.yaml", "{error: 0}", "{error: 1}")
    claims = bench_of(toy_task)
    with pytest.raises(RefutedError, match=r"error 2 \(.*expected 3 within 0\.001"):
        claims.baseline_reproduces()
    with pytest.raises(RefutedError, match=r"error 0 \(.*expected 1 within 0\.001"):
        claims.solution_reaches_target()


def test_a_command_that_fails_is_found_with_its_output(toy_task):
    rewrite(toy_task, "solution/solution.py", "numbers =", "raise LookupError('lost'); numbers =")
    rewrite(toy_task, "workspace/baseline.py", "submission.csv", "elsewhere.csv")
    report = check_task(load_task(toy_task), "mini", BUBBLEWRAP, PYTHON)
    found = {finding.name: finding.detail for finding in report.findings if not finding.ok}
    assert "submission.csv is missing" in found[BASELINE]
    assert "`python solution.py` ended with exit" in found["the solution reaches the target"]
    assert "LookupError: lost" in found["the solution reaches the target"]


def test_a_grader_that_throws_dice_is_found(toy_task):
    rewrite(toy_task, "grader/grade.py", "/ len(wanted)}", "+ __import__('random').random()}")
    with pytest.raises(RefutedError, match="error of the baseline: 2"):
        bench_of(toy_task).grading_is_stable()


def test_a_run_that_takes_too_long_is_found_and_one_that_only_waits_is_not(toy_task, monkeypatch):
    monkeypatch.setitem(bench.BUDGETS_S, "baseline", 1.0)
    monkeypatch.setitem(bench.BUDGETS_S, "solution", 1.0)
    rewrite(toy_task, "workspace/baseline.py", "numbers =", "import time; time.sleep(2); numbers =")
    busy = "import time\nwhile time.process_time() < 2: pass\nnumbers ="
    rewrite(toy_task, "solution/solution.py", "numbers =", busy)
    with pytest.raises(RefutedError) as caught:
        bench_of(toy_task).budgets_are_kept()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("the solution ")
    assert line.endswith(" s of CPU, at most 1 s are allowed")


def test_a_grader_that_takes_what_is_no_answer_is_found(toy_task):
    rewrite(toy_task, "grader/grade.py", "if not all(map(math.isfinite, given)):", "if False:")
    rewrite(toy_task, "grader/grade.py", "sum(abs", "0 if any(map(math.isnan, given)) else sum(abs")
    report = check_task(load_task(toy_task), "mini", BUBBLEWRAP, PYTHON)
    (found,) = [finding for finding in report.findings if not finding.ok]
    assert found.name == "bad submissions gain nothing"
    assert "submission.csv: nan for every word: scored {'error': 0.0}" in found.detail


def test_the_baseline_and_the_solution_are_measured_over_seeds(toy_task):
    rewrite(toy_task, "workspace/baseline.py", "n + 2", "n + 2 + int(os.environ['SEED'])")
    rewrite(toy_task, "workspace/baseline.py", "numbers = ", "import os; numbers = ")
    task = load_task(toy_task)
    prepared = prepare(task, "mini", 0, PYTHON)
    told: list[str] = []
    baseline, solution = measure_baseline(task, prepared, BUBBLEWRAP, 3, told.append)
    assert [values["error"] for values in baseline.metrics] == [2.0, 3.0, 4.0]
    assert (baseline.mean("error"), baseline.spread("error")) == (3.0, 2.0)
    assert (solution.mean("error"), solution.spread("error")) == (0.0, 0.0)
    assert len(baseline.durations_s) == 3
    assert all(0 < taken < 30 for taken in baseline.gradings_s)
    assert told[2].startswith("baseline, seed 1: error 3 after ")
    assert all(spent is not None and spent >= 0 for spent in baseline.cpu_s)
