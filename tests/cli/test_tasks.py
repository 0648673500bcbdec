"""`mlgym tasks new` and `check`: a copy is sound as it stands; a check says what it found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgym.task.spec import load_task

Mlgym = Callable[..., Any]


@pytest.fixture
def in_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, its pack known, nothing in it yet."""
    pack = tmp_path / "my-pack"
    pack.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLGYM_PATH", str(pack))
    return pack


def test_a_new_task_is_a_copy_with_a_name_of_its_own(mlgym: Mlgym, in_a_pack: Path) -> None:
    ran = mlgym("tasks", "new", "my_game", "--like", "battle_of_sexes", "--out", "my-pack")
    assert ran.code == 0
    task = load_task(in_a_pack / "tasks" / "my_game")
    assert (task.spec.id, task.spec.version, task.spec.title) == ("my_game", 1, "My game")
    commands = [line.strip() for line in ran.out.splitlines() if line.startswith("  ")]
    assert commands == [
        "mlgym tasks check my_game",
        "mlgym tasks baseline my_game --seeds 3",
        "mlgym run --task my_game --agent oracle --data mini",
    ]
    assert "my_game" in mlgym("tasks", "list").out


def test_a_pack_that_is_not_known_yet_is_to_be_named_first(
    mlgym: Mlgym, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--title", 'It\'s "mine": #1', "--json")
    ran = mlgym("tasks", "new", "other", "--like", "house_price", *words)
    made = json.loads(ran.out)
    assert made["folder"] == str(Path("tasks/other"))
    assert made["next"][0] == f'export MLGYM_PATH="{tmp_path}${{MLGYM_PATH:+:$MLGYM_PATH}}"'
    assert load_task(tmp_path / "tasks" / "other").spec.title == 'It\'s "mine": #1'
    again = mlgym("tasks", "new", "other", "--like", "blotto")
    assert again.code == 2
    assert "'other' is there already" in again.err


def test_a_copy_is_sound_as_it_stands_and_what_was_found_is_kept(
    mlgym: Mlgym, in_a_pack: Path
) -> None:
    mlgym("tasks", "new", "my_game", "--like", "battle_of_sexes", "--out", "my-pack")
    ran = mlgym("tasks", "check", "my_game", "--json")
    assert ran.code == 0, ran.out
    (report,) = json.loads(ran.out)
    assert (report["task"], report["profile"], report["sound"]) == ("my_game", "mini", True)
    again = json.loads(mlgym("tasks", "check", "my_game", "--json").out)[0]["findings"]
    kept = {finding["name"] for finding in again if finding["kept"]}
    assert {"the solution reaches the target", "bad submissions gain nothing"} <= kept
    assert [finding["detail"] for finding in again] == [
        finding["detail"] for finding in report["findings"]
    ]
    folder = in_a_pack / "tasks" / "my_game"
    (folder / "solution" / "solution.py").write_text("print('nothing')\n")
    changed = mlgym("tasks", "check", "my_game")
    assert changed.code == 1
    lines = changed.out.splitlines()
    (row,) = [line for line in lines if "  the solution reaches the target  " in line]
    assert "FAILED" in row
    (other,) = [line for line in lines if "  the baseline reproduces" in line]
    assert "  kept  " in other
    assert "my_game: the solution reaches the target: FAILED" in lines
    assert lines[-1] == "my_game (mini): UNSOUND"


def test_an_unsound_task_is_exit_code_1_with_the_claim_that_fails(
    mlgym: Mlgym, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "battle_of_sexes"
    shutil.copytree(root / "tasks" / "battle_of_sexes", folder)
    (folder / "workspace" / "README.md").unlink()
    ran = mlgym("tasks", "check", folder, "--reduced")
    assert ran.code == 1
    assert "battle_of_sexes: the starter files explain themselves: FAILED" in ran.out
    assert f"  {folder}/workspace/README.md is missing" in ran.out


def test_a_task_that_does_not_load_is_a_finding_among_all(
    mlgym: Mlgym, root: Path, in_a_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlgym import catalog

    shutil.copytree(root / "tasks" / "blotto", in_a_pack / "tasks" / "broken")
    shelf = {"broken": in_a_pack / "tasks" / "broken"}
    monkeypatch.setattr(catalog, "shelf", lambda name: shelf if name == "tasks" else {})
    ran = mlgym("tasks", "check", "--all", "--json")
    assert ran.code == 1
    (report,) = json.loads(ran.out)
    assert (report["task"], report["sound"]) == ("broken", False)
    (finding,) = report["findings"]
    assert finding["name"] == "the spec loads"
    assert "expected the folder's name, 'broken'" in finding["detail"]
