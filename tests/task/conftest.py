"""A toy task that needs the standard library only: predict the squares of numbers."""

from pathlib import Path

import pytest

FILES = {
    "task.yaml": """\
id: toy
version: 1
title: A toy
domain: data_science
description: Predict the squares.
image: base
data: data.py
submission: {kind: predictions, paths: [submission.csv]}
grader: {script: grader/grade.py}
metrics: [{name: error, goal: minimize, tolerance: 0.001}]
profiles:
  mini: {baseline: {error: 2}, target: {error: 0}}
  full: {baseline: {error: 2}, target: {error: 0}}
baseline: {command: python baseline.py}
solution: {command: python solution.py}
""",
    "data.py": """\
import random


def prepare(profile, data_seed, public, private):
    print("drawing", profile)
    random.seed(f"{profile} {data_seed}")
    numbers = [random.randrange(1000) for _ in range(10)]
    (public / "part").mkdir()
    (public / "part" / "numbers.txt").write_text(" ".join(map(str, numbers)))
    (private / "squares.txt").write_text(" ".join(str(n * n) for n in numbers))
""",
    "grader/grade.py": """\
import math

from mlgym_kit import SubmissionError


def grade(submission, answers, split, rng):
    wanted = [float(word) for word in (answers / "squares.txt").read_text().split()]
    try:
        given = [float(word) for word in (submission / "submission.csv").read_text().split()]
    except ValueError as error:
        raise SubmissionError(f"submission.csv: {error}") from None
    if not all(map(math.isfinite, given)):
        raise SubmissionError("submission.csv: expected finite numbers")
    if len(given) != len(wanted):
        raise SubmissionError(f"found {len(given)} numbers, expected {len(wanted)}")
    return {"error": sum(abs(g - w) for g, w in zip(given, wanted)) / len(wanted)}
""",
    "workspace/README.md": "`python baseline.py` writes submission.csv.\n",
    "workspace/sample_submission.csv": "0 0 0 0 0 0 0 0 0 0",
    "workspace/baseline.py": """\
numbers = [int(word) for word in open("data/part/numbers.txt").read().split()]
open("submission.csv", "w").write(" ".join(str(n * n + 2) for n in numbers))
""",
    "solution/solution.py": """\
numbers = [int(word) for word in open("data/part/numbers.txt").read().split()]
open("submission.csv", "w").write(" ".join(str(n * n) for n in numbers))
""",
}


@pytest.fixture
def toy_task(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home of the test's own."""
    home = tmp_path / "home"
    monkeypatch.setenv("MLGYM_HOME", str(home))
    return home
