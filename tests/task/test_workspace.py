"""Laying the starter files."""

import os

from mlgym.task.spec import load_task
from mlgym.task.workspace import stage_workspace, staged_workspace


def test_starter_files_are_laid_without_the_solution(toy_task, tmp_path):
    staged = stage_workspace(load_task(toy_task), tmp_path / "staged", with_solution=False)
    starter = toy_task / "workspace" / "baseline.py"
    assert (staged / "baseline.py").read_bytes() == starter.read_bytes()
    assert not (staged / "solution.py").exists()
    assert not list(staged.rglob("__pycache__"))


def test_the_solution_is_laid_over_the_starter_files(toy_task, tmp_path):
    (toy_task / "solution" / "baseline.py").write_text("print('better')\n")
    staged = stage_workspace(load_task(toy_task), tmp_path / "staged", with_solution=True)
    assert (staged / "baseline.py").read_text() == "print('better')\n"
    assert (staged / "solution.py").exists()


def test_modes_and_times_do_not_depend_on_the_checkout(toy_task, tmp_path):
    starter = toy_task / "workspace" / "baseline.py"
    starter.chmod(0o700)
    os.utime(starter, (1, 1))
    one = stage_workspace(load_task(toy_task), tmp_path / "one", with_solution=True)
    starter.chmod(0o755)
    os.utime(starter, (2, 2))
    other = stage_workspace(load_task(toy_task), tmp_path / "other", with_solution=True)

    def facts(folder):
        return {
            path.relative_to(folder).as_posix(): (path.stat().st_mode, path.stat().st_mtime)
            for path in [folder, *folder.rglob("*")]
        }

    assert facts(one) == facts(other)
    assert len({mtime for _, mtime in facts(one).values()}) == 1


def test_a_workspace_is_staged_once_for_each_state_of_the_task(toy_task, tmp_path, monkeypatch):
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path / "home"))
    first = staged_workspace(load_task(toy_task), with_solution=False)
    assert staged_workspace(load_task(toy_task), with_solution=False) == first
    solved = staged_workspace(load_task(toy_task), with_solution=True)
    assert (solved / "solution.py").exists()
    assert not (first / "solution.py").exists()
    starter = toy_task / "workspace" / "baseline.py"
    starter.chmod(0o700)
    executable = staged_workspace(load_task(toy_task), with_solution=False)
    starter.write_text("print('changed')\n")
    changed = staged_workspace(load_task(toy_task), with_solution=False)
    assert len({first, solved, executable, changed}) == 4
    assert (changed / "baseline.py").read_text() == "print('changed')\n"
    assert len(list((tmp_path / "home" / "workspaces").iterdir())) == 4
