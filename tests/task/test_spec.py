"""Task specifications: what is accepted, and what each mistake is answered with."""

import shutil
from pathlib import Path

import pytest

from mlgym.errors import ConfigError, TaskError
from mlgym.task.spec import find_task, load_task

GOOD = """\
id: toy
version: 2
title: A toy
domain: data_science
description: |
  Predict. {data_docs} Beat {baseline} in {metric}. Write {"a": 1} or {{metric}}.
image: base
data: data.py
data_docs: {mini: Ten rows.}
sources:
  - {package: some-wheel, version: "1.0", sha256: SUM}
submission: {kind: predictions, paths: [submission.csv, weights/], max_mb: 1}
grader: {script: grader/grade.py}
metrics:
  - {name: loss, goal: minimize, range: [0, null], scale: log, tolerance: 0.1}
  - {name: accuracy, goal: maximize, range: [0, 1]}
profiles:
  mini:
    baseline: {loss: 4.0, accuracy: 0.5}
    target: {loss: 2.0}
solution: {command: python solution.py}
""".replace("SUM", "a" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    for name in ("workspace/baseline.py", "grader/grade.py", "solution/solution.py", "data.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / "task.yaml").write_text(GOOD)
    return folder


def complaint(folder: Path, old: str, new: str) -> str:
    assert old in GOOD
    (folder / "task.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(TaskError) as caught:
        load_task(folder)
    return str(caught.value)


def test_a_good_task_loads_with_its_defaults(folder):
    task = load_task(folder)
    assert task.spec.gym_id == "mlgym/toy-v2"
    assert task.spec.primary.name == "loss"
    assert task.spec.budget.steps == 50
    assert task.spec.limits().memory_bytes == 8 * 1024**3
    assert task.spec.baseline is None
    assert task.spec.submission.max_bytes == 1024**2


def test_the_description_is_filled_in_and_other_braces_are_left_alone(folder):
    text = load_task(folder).brief_text("mini")
    assert text == 'Predict. Ten rows. Beat 4 in loss. Write {"a": 1} or {metric}.'


def test_the_hash_follows_every_file_but_no_byte_code(folder):
    before = load_task(folder).sha256
    cache = folder / "grader" / "__pycache__"
    cache.mkdir()
    (cache / "grade.cpython-311.pyc").write_bytes(b"x")
    assert load_task(folder).sha256 == before
    (folder / "grader" / "grade.py").write_text("# changed")
    assert load_task(folder).sha256 != before


def test_an_unknown_field_is_refused_with_its_line_and_the_nearest_name(folder):
    text = complaint(folder, "title: A toy", "titel: A toy")
    assert f"{folder / 'task.yaml'}: line 3, titel: found an unknown field 'titel'" in text
    assert "expected 'title'?" in text
    assert "title: found nothing, expected this field, which is required" in text


def test_an_unknown_field_deep_inside_is_compared_with_its_neighbours(folder):
    text = complaint(folder, "goal: minimize", "gaol: minimize")
    assert "line 15, metrics.0.gaol: found an unknown field 'gaol', expected 'goal'?" in text


def test_a_duplicate_key_is_refused_with_both_lines(folder):
    text = complaint(folder, "version: 2", "version: 2\nversion: 3")
    assert "line 3, version: found a second time (first on line 2), expected once" in text


def test_text_that_is_not_yaml_is_refused_with_line_and_column(folder):
    assert "is not valid YAML: line 4, column" in complaint(folder, "title: A toy", "title: [A toy")


def test_an_empty_file_and_a_list_are_refused(folder):
    (folder / "task.yaml").write_text("")
    with pytest.raises(TaskError, match="found nothing, expected a mapping"):
        load_task(folder)
    (folder / "task.yaml").write_text("- id: toy")
    with pytest.raises(TaskError, match="found a list, expected a mapping"):
        load_task(folder)


def test_an_alias_that_holds_itself_is_refused(folder):
    (folder / "task.yaml").write_text("id: &a [*a]")
    with pytest.raises(TaskError, match="an alias stands for itself"):
        load_task(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: toy", "id: other", "line 1, id: found 'other', expected the folder's name, 'toy'"),
        ("id: toy", "id: Toy!", "line 1, id: found 'Toy!', expected text that matches ^[a-z]"),
        ("version: 2", "version: yes", "version: found True, expected a valid integer"),
        ("version: 2", "version: 0", "version: found 0, expected greater than or equal to 1"),
        ("title: A toy", "title: 7", "title: found 7, expected a valid string"),
        ("domain: data_science", "domain: farming", "domain: found 'farming', expected 'data_"),
        ("{baseline} in", "{basline} in", "description: found '{basline}', expected one of"),
        ("data_docs: {mini: Ten rows.}", "data_docs: {}", "data_docs: found [], expected a text"),
        ("data_docs: {mini:", "data_docs: {tiny:", "data_docs.tiny: found 'tiny', expected 'full'"),
        ("[submission.csv", "[/submission.csv", "submission.paths.0: found '/submission.csv'"),
        ("[submission.csv", "[../submission.csv", "expected a relative path inside the workspace"),
        ("[submission.csv", "[data/x.csv", "not under data/"),
        ("weights/", "submission.csv/", "submission.paths.1: found 'submission.csv/', expected ea"),
        ("[submission.csv, weights/]", "[]", "submission.paths: found [], expected"),
        ("kind: predictions", "kind: csv", "submission.kind: found 'csv', expected 'predictions'"),
        (
            "grader/grade.py",
            "grader/grad.py",
            "grader.script: found 'grader/grad.py', expected a f",
        ),
        ("grader/grade.py", "../grade.py", "inside the task's folder"),
        ("data: data.py", "data: date.py", "line 8, data: found 'date.py', expected a file that e"),
        ("scale: log", "scale: logg", "metrics.0.scale: found 'logg', expected 'linear' or 'log'"),
        ("range: [0, 1]", "range: [1, 0]", "metrics.1.range: found (1.0, 0.0), expected [low"),
        (
            "name: accuracy",
            "name: loss",
            "metrics.0.name: found 'loss', expected each metric's nam",
        ),
        ("tolerance: 0.1", "tolerance: 1e-1", "metrics.0.tolerance: found '1e-1', expected a num"),
        ("loss: 2.0", "loss: 5.0", "profiles.mini.target.loss: found 5.0, expected a value below"),
        ("loss: 2.0", "loss: 4.0", "below the baseline 4.0, as the goal is to minimize"),
        ("loss: 2.0", "loss: 0", "expected a positive number, as the scale is log"),
        ("loss: 2.0", "accuracy: 1", "profiles.mini.target: found {'accuracy': 1.0}, expected a v"),
        ("accuracy: 0.5", "accuracy: 1.5", "expected a value in the range [0.0, 1.0]"),
        (
            "accuracy: 0.5",
            "acuracy: 0.5",
            "profiles.mini.baseline.acuracy: found 0.5, expected one",
        ),
        ("  mini:\n", "  tiny:\n", "profiles.tiny: found 'tiny', expected 'full' or 'mini'"),
        ('version: "1.0", ', "", "sources.0: found {'package': 'some-wheel', 'sha256': 'aaa"),
        ("{package:", "{file: x, package:", "expected one of `package`, `dataset` and `file`"),
        (
            "  - {package:",
            "  - {dataset: a/b, version: c, splits: {train: 1}}\n"
            "  - {dataset: a/b, version: c, splits: {test: 1}}\n  - {package:",
            "expected each source once for a profile",
        ),
        ("package: some-wheel", "dataset: a/b", "expected `version` and `splits` beside"),
        ("package:", "rows: 5, package:", "sources.0.rows: found 5, expected `dataset` beside it"),
        ("package: some-wheel", "dataset: a/b/c", "sources.0.dataset: found 'a/b/c', expected"),
        (
            "package: some-wheel",
            "dataset: a/b, splits: {train: 0}",
            "sources.0.splits.train: f",
        ),
        ("package: some-wheel", "file: a/b", "sources.0.file: found 'a/b', expected a plain file"),
        ("data: data.py\n", "", "expected a `data` script to read them"),
    ],
)
def test_a_mistake_is_answered_with_field_value_and_expectation(folder, old, new, said):
    assert said in complaint(folder, old, new)


def test_all_mistakes_are_named_at_once(folder):
    text = complaint(folder, "id: toy\nversion: 2", "id: other\nversion: 2").splitlines()
    assert len(text) == 1
    content = GOOD.replace("id: toy", "id: other").replace("loss: 2.0", "loss: 5.0")
    (folder / "task.yaml").write_text(content)
    with pytest.raises(TaskError) as caught:
        load_task(folder)
    assert len(str(caught.value).splitlines()) == 2


def test_missing_folders_are_named(folder):
    shutil.rmtree(folder / "workspace")
    shutil.rmtree(folder / "solution")
    with pytest.raises(TaskError) as caught:
        load_task(folder)
    assert str(folder / "workspace") in str(caught.value)
    assert "solution: found 'python solution.py', expected the folder" in str(caught.value)


def test_starter_files_under_the_mounted_data_folder_are_refused(folder):
    (folder / "workspace" / "data").mkdir()
    with pytest.raises(TaskError, match="the public data is mounted there"):
        load_task(folder)


def test_a_spec_is_frozen(folder):
    spec = load_task(folder).spec
    with pytest.raises(ValueError, match="frozen"):
        spec.version = 3


def test_tolerances_are_in_the_metrics_own_units(folder):
    loss, accuracy = load_task(folder).spec.metrics
    assert loss.agree(2.0, 2.2)
    assert not loss.agree(2.0, 2.3)
    assert not loss.agree(2.0, -2.0)
    assert accuracy.agree(0.5, 0.5)
    assert not accuracy.agree(0.5, 0.51)


def test_a_task_is_found_by_name_on_the_path_and_by_folder(folder, tmp_path, monkeypatch):
    pack = tmp_path / "pack"
    shutil.copytree(folder, pack / "tasks" / "toy")
    monkeypatch.setenv("MLGYM_PATH", str(pack))
    assert find_task("toy").folder == pack / "tasks" / "toy"
    assert find_task(folder) == find_task(str(folder))
    with pytest.raises(ConfigError, match=r"unknown task 'toyy'. Did you mean toy\?"):
        find_task("toyy")
    with pytest.raises(ConfigError, match=r"holds no task\.yaml"):
        find_task(tmp_path)
