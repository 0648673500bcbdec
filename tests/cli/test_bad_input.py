"""Mistakes in a call: exit code 2, a sentence that helps, no traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mlgym = Callable[..., Any]
ORACLE = ("run", "--task", "blotto", "--agent", "oracle")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            ("run", "--task", "bloto", "--agent", "oracle"),
            ("'bloto'", "blotto", "mlgym tasks list"),
        ),
        (("run", "--task", "blotto"), ("needs a model", "--agent oracle")),
        (("run", "--task", "blotto", "--agent", "orakel"), ("oracle", "mlgym agents list")),
        ((*ORACLE, "--sandbox", "dokker"), ("'dokker'", "docker", "mlgym doctor")),
        ((*ORACLE, "--data", "ful"), ("--data", "'ful'", "'auto', 'mini' or 'full'")),
        ((*ORACLE, "--price", "1"), ("--price", "IN,OUT")),
        ((*ORACLE, "--price=-1,2"), ("--price", "at least 0")),
        ((*ORACLE, "--max-steps", "0"), ("--max-steps", "greater than or equal to 1")),
        ((*ORACLE, "--runtime", "runsc"), ("--runtime", "docker")),
        ((*ORACLE, "--seed", "x"), ("--seed",)),
        ((*ORACLE, "--data-seed", "-1"), ("--data-seed",)),
        (("run",), ("--task",)),
        (("run", "--task", "/", "--agent", "oracle"), ("task.yaml", "mlgym tasks list")),
        (("tasks", "show", "houseprice"), ("house_price", "mlgym tasks list")),
        (("tasks", "check"), ("--all",)),
        (("tasks", "check", "bloto"), ("'bloto'", "blotto", "mlgym tasks list")),
        (("tasks", "new", "mine"), ("--like",)),
        (("tasks", "new", "mine", "--like", "bloto"), ("'bloto'", "blotto")),
        (("tasks", "new", "blotto", "--like", "blotto"), ("'blotto' is there already",)),
        (("tasks", "new", "Mine!", "--like", "blotto"), ("'Mine!'", "lower-case letters")),
        (("data", "prepare"), ("--all",)),
        (("data", "prepare", "blotto", "--data", "midi"), ("'midi'", "mini")),
        (("images", "build", "bse"), ("base", "mlgym images list")),
        (("images", "build", "base", "--sandbox", "podman"), ("'podman'",)),
        (("images", "build", "base", "--from-debian"), ("--sandbox docker",)),
        (("grade",), ("TASK", "--run")),
        (("grade", "blotto", "/nowhere"), ("/nowhere",)),
        (("grade", "blotto", ".", "--split", "train"), ("'train'", "validation or test")),
        (("grade", "--run", "nothing"), ("nothing", "run.json")),
        (("replay", "nothing"), ("nothing", "run.json")),
        (("replay", "nothing", "--verify"), ("nothing", "run.json")),
        (("run", "--resume", "nothing"), ("nothing", "run.json")),
        (("run", "--resume", "x", "--task", "blotto"), ("--resume", "leave out --task")),
        ((*ORACLE, "--strict"), ("--strict", "--resume")),
        (("runs", "list", "--out", "/nowhere"), ("/nowhere", "run folders")),
        (("runs", "show", "nothing"), ("nothing", "run.json")),
        (("runs", "rm", "nothing", "--yes"), ("nothing", "nothing was removed")),
        (("export", "/nowhere", "--format", "sft", "--out", "x"), ("/nowhere",)),
        (("export", ".", "--format", "csv", "--out", "x"), ("'csv'", "sft or steps")),
        (("import-traj", "/nowhere"), ("/nowhere",)),
        (("taks",), ("taks",)),
    ],
)
def test_a_mistake_is_named_with_what_helps(
    mlgym: Mlgym, call: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ran = mlgym(*call)
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def test_a_missing_key_is_told_before_any_sandbox_starts(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ran = mlgym("run", "--task", "blotto", "--model", "gpt-4o", "--out", tmp_path / "runs")
    assert ran.code == 2
    assert "OPENAI_API_KEY" in ran.err
    assert not (tmp_path / "runs").exists()


def test_an_unknown_model_is_told_with_the_nearest_names(mlgym: Mlgym) -> None:
    ran = mlgym("run", "--task", "blotto", "--model", "gpt-4p")
    assert ran.code == 2
    assert "gpt-4o" in ran.err
    assert "mlgym models list" in ran.err


def test_no_docker_daemon_is_one_sentence_and_exit_code_3(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ran = mlgym(*ORACLE, "--data", "mini", "--sandbox", "docker", "--out", tmp_path)
    assert ran.code == 3
    assert "no Docker daemon answers" in ran.err
    assert "systemctl start docker" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def broken_pack(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack whose one task has a word wrong."""
    folder = tmp_path / "pack" / "tasks" / "broken"
    shutil.copytree(root / "tasks" / "blotto", folder)
    spec = folder / "task.yaml"
    text = spec.read_text().replace("id: blotto", "id: broken").replace("maximize", "maximise")
    spec.write_text(text)
    monkeypatch.setenv("MLGYM_PATH", str(tmp_path / "pack"))
    return spec


def test_a_broken_task_is_told_with_file_line_value_and_expectation(
    mlgym: Mlgym, broken_pack: Path
) -> None:
    for call in (
        ("tasks", "show", "broken"),
        ("tasks", "check", "broken"),
        ("run", "--task", "broken", "--agent", "oracle"),
    ):
        ran = mlgym(*call)
        assert ran.code == 2
        for word in (str(broken_pack), "line ", "goal", "'maximise'", "'maximize'"):
            assert word in ran.err


@pytest.mark.usefixtures("broken_pack")
def test_a_broken_task_does_not_hide_the_sound_ones(mlgym: Mlgym) -> None:
    ran = mlgym("tasks", "list")
    assert ran.code == 0
    assert "blotto" in ran.out
    assert "broken" not in ran.out
    assert "'maximise'" in ran.err


def test_debug_shows_where_an_error_comes_from(mlgym: Mlgym) -> None:
    ran = mlgym("--debug", "tasks", "show", "nothing")
    assert ran.code == 2
    assert "Traceback" in ran.err
