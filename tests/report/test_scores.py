"""Other people's results: a line a run, and what is wrong with one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgym.errors import ConfigError
from mlgym.report.scores import read_scores

LayScores = Callable[..., Path]
GOOD = {
    "task": "t",
    "model": "m",
    "seed": 0,
    "goal": "maximize",
    "baseline": 1,
    "best": 2.5,
    "last": None,
}


def test_the_first_baseline_that_is_not_null_counts_and_others_are_named(
    lay_scores: LayScores,
) -> None:
    made = [
        ("t", "a", "maximize", None, 3.0, 2.0),
        ("t", "b", "maximize", 1.0, 5.0, None),
        ("t", "c", "maximize", 1.5, 4.0, None),
    ]
    sheet = read_scores(lay_scores(*made))
    (task,) = sheet.tasks
    assert (task.baseline, task.target) == (1.0, 5.0)
    assert sheet.notes == ("t: the baseline is 1, the file's first; it also says 1.5.",)
    assert sheet.entries[0].places == {"best_attempt": 0.5, "best_submission": 0.25}


def test_where_nothing_beats_the_baseline_it_is_the_best_in_the_file(lay_scores: LayScores) -> None:
    (task,) = read_scores(lay_scores(("t", "a", "minimize", 1.0, 3.0, 2.0))).tasks
    assert task.target == 1.0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"goal": "raise"}, "goal"),
        ({"best": "high"}, "best"),
        ({"last": float("nan")}, "last"),
        ({"seed": 0.5}, "seed"),
        ({"model": "baseline"}, "name of the task's baseline"),
        ({"goal": "minimize"}, "both to be maximized and to be minimized"),
    ],
)
def test_what_is_wrong_with_a_line_is_named(
    change: dict[str, object], named: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (GOOD, GOOD | change)) + "\n")
    with pytest.raises(ConfigError, match=named):
        read_scores(path)


def test_a_missing_field_is_not_null(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({key: GOOD[key] for key in GOOD if key != "last"}))
    with pytest.raises(ConfigError, match="line 1: last: Field required"):
        read_scores(path)


def test_no_file_and_no_line_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_scores(tmp_path / "none")
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(ConfigError, match="holds no line"):
        read_scores(tmp_path / "empty")
