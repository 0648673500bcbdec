"""What a preparation reads: pinned wheels, and files that the user places."""

import hashlib
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from preparing import PYTHON, prepare, rewrite

from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.task import data
from mlgym.task.spec import load_task

pytestmark = pytest.mark.usefixtures("home")


def add_source(folder: Path, source: str) -> None:
    rewrite(folder, "task.yaml", "data: data.py", f"data: data.py\nsources: [{source}]")
    rewrite(folder, "data.py", "    print(", "    import os; print(os.listdir('.')); print(")


def test_a_file_of_the_users_is_asked_for_by_place_and_then_linked(toy_task, home):
    add_source(toy_task, "{file: big.csv, hint: Ask the author., profiles: [full]}")
    with pytest.raises(ConfigError) as caught:
        prepare(toy_task, "full")
    wanted = home / "manual" / "toy" / "big.csv"
    assert f"Put it at {wanted}. Ask the author." in str(caught.value)
    wanted.parent.mkdir(parents=True)
    wanted.write_text("1")
    lines: list[str] = []
    data.prepare(load_task(toy_task), "full", 0, PYTHON, lines.append)
    assert "['big.csv']" in lines
    data.prepare(load_task(toy_task), "mini", 0, PYTHON, lines.append)
    assert "[]" in lines


def test_another_file_than_the_pinned_one_is_refused(toy_task, home):
    add_source(toy_task, f"{{file: big.csv, sha256: {hashlib.sha256(b'right').hexdigest()}}}")
    wanted = home / "manual" / "toy" / "big.csv"
    wanted.parent.mkdir(parents=True)
    wanted.write_text("wrong")
    with pytest.raises(ConfigError, match=r"big.csv: found sum .*, expected "):
        prepare(toy_task)


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """A wheel in a folder that pip is told to look into, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "toy_answers-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy_answers/data.txt", "1 4 9")
        archive.writestr("toy_answers-1.0.dist-info/METADATA", "Name: toy-answers\nVersion: 1.0\n")
        archive.writestr("toy_answers-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("toy_answers-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


def test_a_pinned_wheel_is_fetched_once_and_never_installed(toy_task, wheel, home):
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    add_source(toy_task, f"{{package: toy-answers, version: '1.0', sha256: {found}}}")
    lines: list[str] = []
    data.prepare(load_task(toy_task), "mini", 0, PYTHON, lines.append)
    assert "fetching toy-answers==1.0" in lines
    assert f"['{wheel.name}']" in lines
    assert stat.S_IMODE((home / "sources").stat().st_mode) == 0o700
    wheel.unlink()
    data.prepare(load_task(toy_task), "mini", 1, PYTHON, lines.append)
    assert lines.count("fetching toy-answers==1.0") == 1
    done = subprocess.run([PYTHON, "-c", "import toy_answers"], capture_output=True, check=False)
    assert done.returncode != 0


def test_a_wheel_with_another_sum_is_refused_and_not_kept(toy_task, wheel, home):
    add_source(toy_task, f"{{package: toy-answers, version: '1.0', sha256: {'a' * 64}}}")
    assert wheel.is_file()
    with pytest.raises(TaskError, match=r"toy-answers==1.0: found sum .*, expected aaaa"):
        prepare(toy_task)
    assert not list((home / "sources").glob("[!.]*"))


def test_a_wheel_that_cannot_be_fetched_is_an_infrastructure_failure(toy_task, wheel):
    add_source(toy_task, f"{{package: toy-answers, version: '9.0', sha256: {'a' * 64}}}")
    assert wheel.is_file()
    with pytest.raises(SandboxError, match=r"cannot fetch toy-answers==9\.0"):
        prepare(toy_task)
