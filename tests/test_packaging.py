"""The wheel: what is in it, and that it works where no checkout is near."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release would be: by the declared build backend, isolated."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, root],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=240,
    )
    (built,) = folder.glob("mlgym-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def shipped(root: Path, shelf: str) -> set[str]:
    """Every file of a shelf that is not Python's own litter."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / shelf).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".gitkeep"
    }


def test_the_wheel_holds_only_the_package_and_its_metadata(names: set[str]) -> None:
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"mlgym"}


@pytest.mark.parametrize("shelf", ["tasks", "agents", "containers"])
def test_the_wheel_holds_every_file_of_the_shelf(root: Path, names: set[str], shelf: str) -> None:
    assert {f"mlgym/_data/{name}" for name in shipped(root, shelf)} <= names


def test_the_wheel_holds_every_file_of_the_package(root: Path, names: set[str]) -> None:
    assert shipped(root, "mlgym") <= names


def test_the_wheel_holds_no_tests_data_or_litter(names: set[str]) -> None:
    litter = ("__pycache__", ".pyc", ".csv.gz", ".whl")
    assert not [name for name in names if name.startswith(("tests/", "runs/", "docs/"))]
    assert not [name for name in names if any(part in name for part in litter)]


def test_the_wheel_carries_the_licence_and_the_notice(names: set[str]) -> None:
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_an_installed_wheel_runs_an_oracle_episode_far_from_any_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    installed = subprocess.run(
        [environment / "bin" / "pip", "install", "--quiet", "--no-compile", wheel],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert installed.returncode == 0, installed.stderr
    work = tmp_path / "elsewhere"
    work.mkdir()
    done = subprocess.run(
        [
            environment / "bin" / "mlgym",
            *("run", "--task", "battle_of_sexes", "--agent", "oracle"),
            *("--sandbox", "bubblewrap", "--data", "mini", "--json"),
        ],
        cwd=work,
        env={"PATH": "/usr/bin:/bin", "HOME": str(work), "MLGYM_HOME": os.environ["MLGYM_HOME"]},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["status"] == "scored"
    assert record["score"]["source"] == "submitted"
    assert (work / "runs" / record["run_id"] / "trajectory.jsonl").is_file()
