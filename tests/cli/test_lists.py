"""The commands that list, show, prepare and verify."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

Mlgym = Callable[..., Any]


def test_tasks_list_says_what_each_task_is(mlgym: Mlgym) -> None:
    ran = mlgym("tasks", "list", "--json")
    assert ran.code == 0
    rows = {row["id"]: row for row in json.loads(ran.out)}
    assert {"battle_of_sexes", "blotto", "house_price"} <= set(rows)
    assert rows["blotto"] == {
        "id": "blotto",
        "version": 1,
        "title": "Colonel Blotto",
        "domain": "game_theory",
        "image": "base",
    }
    assert "Colonel Blotto" in mlgym("tasks", "list").out


def test_tasks_show_renders_the_brief_and_the_figures(mlgym: Mlgym) -> None:
    shown = mlgym("tasks", "show", "house_price").out
    assert "{metric}" not in shown
    assert "mlgym/house_price-v1" in shown
    assert "0.94839" in shown
    told = json.loads(mlgym("tasks", "show", "house_price", "--json").out)
    assert told["metrics"][0]["name"] == "r2"
    assert len(told["sha256"]) == 64


def test_agents_and_models_are_listed(mlgym: Mlgym) -> None:
    agents = {row["name"]: row for row in json.loads(mlgym("agents", "list", "--json").out)}
    assert agents["toolcaller"]["needs_model"] is True
    assert agents["oracle"]["needs_model"] is False
    models = [row["name"] for row in json.loads(mlgym("models", "list", "--json").out)]
    assert {"llama-4-scout", "llama-4-maverick"} <= set(models)
    assert "toolcaller" in mlgym("agents", "list").out
    assert "llama-4-scout" in mlgym("models", "list").out


def test_images_are_listed_with_what_is_built(mlgym: Mlgym, base_image: Path) -> None:
    rows = {row["name"]: row for row in json.loads(mlgym("images", "list", "--json").out)}
    assert rows["base"]["bubblewrap"] == str(base_image)
    assert "built" in mlgym("images", "list").out
    assert json.loads(mlgym("images", "build", "base", "--json").out)["built"] == str(base_image)


def test_data_is_prepared_listed_verified_and_found_out_when_changed(
    mlgym: Mlgym, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    assert "has been prepared" in mlgym("data", "verify", "battle_of_sexes").err
    first = json.loads(mlgym("data", "prepare", "battle_of_sexes", "--json").out)
    folder = Path(first[0]["folder"])
    assert tmp_path in folder.parents
    mlgym("data", "prepare", "battle_of_sexes", "--data-seed", "3")
    rows = json.loads(mlgym("data", "list", "--json").out)
    seeds = [row["data_seed"] for row in rows if row["task"] == "battle_of_sexes"]
    assert seeds == [0, 3, None]

    assert mlgym("data", "verify").code == 0
    (folder / "public" / "added.csv").write_text("1\n")
    ran = mlgym("data", "verify", "--json")
    assert ran.code == 1
    problems = {row["data_seed"]: row["problems"] for row in json.loads(ran.out)}
    assert problems == {0: ["public/added.csv: was added"], 3: []}
    assert "WRONG" in mlgym("data", "verify", "battle_of_sexes").out


def test_doctor_tells_what_works_and_never_a_key(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ran = mlgym("doctor", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    checks = {check["name"]: check for check in told["checks"]}
    assert told["ok"] is True
    assert checks["sandbox bubblewrap"]["status"] == "ok"
    assert "tried" in checks["sandbox bubblewrap"]["detail"]
    assert checks["keys"]["detail"] == "set: OPENAI_API_KEY"
    assert "sk-secret" not in ran.out + ran.err
    assert "sandbox bubblewrap" in mlgym("doctor").out


def test_doctor_names_the_commands_that_mend_what_is_missing(
    mlgym: Mlgym, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ran = mlgym("doctor")
    assert ran.code == 0
    assert "mlgym images build base --sandbox bubblewrap" in ran.out
    assert "mlgym data prepare house_price" in ran.out
    assert "systemctl start docker" in ran.out


def test_doctor_says_when_the_default_sandbox_does_not_work(tmp_path: Path) -> None:
    # No process may be started any more: bwrap cannot be either.
    code = (
        "import subprocess\n"
        "def refused(*_, **__):\n    raise PermissionError(1, 'Operation not permitted')\n"
        "subprocess.run = refused\n"
        "from mlgym.cli.main import main\n"
        "main(['doctor'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"MLGYM_HOME": str(tmp_path), "PATH": "", "DOCKER_HOST": f"unix://{tmp_path}/none"},
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "do NOT work" in done.stdout


def test_gc_removes_what_was_never_finished_unless_somebody_is_at_it(
    mlgym: Mlgym, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    abandoned = tmp_path / "envs" / "base-123.new-abc"
    at_work = tmp_path / "data" / "blotto-v1-123" / ".mini-0.new-abc"
    for folder in (abandoned, at_work):
        folder.mkdir(parents=True)
    with FileLock(at_work.parent / ".mini-0.lock"):
        removed = json.loads(mlgym("gc", "--json").out)
    assert f"unfinished {abandoned}" in removed
    assert not abandoned.exists()
    assert at_work.exists()
    assert f"removed: unfinished {at_work}" in mlgym("gc").out
