"""A host whose disk is full: where runs are kept, where data lies, for temporary files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from breakage import a_sentence, assert_grades

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.runs.store import RunFolder

SIZE_KB = 1024
FILLER = """\
import os
from mlgym import Decision


class Filler:
    \"\"\"Fills a folder's disk from the host, then goes on.\"\"\"

    def __init__(self):
        self.plan = ["echo 5 > answer.txt", "seq 2000", "validate", "seq 3000", "submit"]

    def reset(self, brief, tools):
        pass

    def act(self, observation):
        if len(self.plan) == 4 and "TO_FILL" in os.environ:
            fill(os.environ["TO_FILL"])
        return Decision(self.plan.pop(0))


def fill(folder):
    try:
        with open(f"{folder}/fill", "wb", buffering=0) as file:
            while file.write(bytes(1024)):
                pass
    except OSError:
        pass
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, left_kb: int = 0) -> None:
    used = sum(path.stat().st_blocks // 2 for path in folder.rglob("*") if path.is_file())
    (folder / "fill").write_bytes(bytes(1024 * max(0, SIZE_KB - used - left_kb)))


def run(
    task: Path, tmp_path: Path, out: Path, *, file_kb: int | None = None, **environment: object
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "filler.py").write_text(FILLER)
    command = [sys.executable, "-m", "mlgym", "run", "--task", str(task), "--out", str(out)]
    command += ["--agent", "filler:Filler", "--sandbox", "bubblewrap"]
    if file_kb is not None:
        command = ["bash", "-c", f'ulimit -f {file_kb} && exec "$@"', "bash", *command]
    return subprocess.run(
        command,
        cwd=tmp_path,
        # What may not grow must not be this checkout's bytecode: Python keeps a cut file of it.
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            **{name: str(value) for name, value in environment.items()},
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def only(out: Path) -> RunFolder:
    (path,) = out.iterdir()
    return RunFolder(path)


def ending(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["status"], record["exit_reason"], record["score"]


def assert_told(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@needs_root
def test_runs_whose_disk_fills_up_end_and_stay_readable(
    number_task: Path, tmp_path: Path, disk: Path
) -> None:
    done = run(number_task, tmp_path, disk / "runs", TO_FILL=disk)
    assert_told(done, "the run cannot be recorded in")
    kept = only(disk / "runs")
    # There is no room for another record than that of a run which has not ended.
    assert ending(kept.record()) == ("unscored", None, None)
    assert [line.action for line in kept.transitions()] == [None, "echo 5 > answer.txt"]
    assert not list(kept.path.glob(".*"))


def test_runs_that_outgrow_what_a_file_may_hold_are_recorded_as_the_infrastructure_s(
    number_task: Path, tmp_path: Path
) -> None:
    done = run(number_task, tmp_path, tmp_path / "runs", file_kb=8)
    assert_told(done, "the run cannot be recorded in")
    kept = only(tmp_path / "runs")
    assert ending(kept.record()) == ("infrastructure_failure", "sandbox_error", None)
    assert [line.step for line in kept.transitions()] == [0, 1]


@needs_root
def test_a_run_that_cannot_begin_leaves_no_folder(
    number_task: Path, tmp_path: Path, disk: Path
) -> None:
    (disk / "runs").mkdir()
    fill(disk)
    done = run(number_task, tmp_path, disk / "runs")
    assert_told(done, "No space left on device")
    assert not list((disk / "runs").iterdir())


@needs_root
def test_a_run_whose_temporary_folder_is_full_is_recorded_as_the_infrastructure_s(
    number_task: Path, tmp_path: Path, disk: Path
) -> None:
    done = run(number_task, tmp_path, tmp_path / "runs", TO_FILL=disk, TMPDIR=disk)
    assert_told(done, "No space left on device")
    kept = only(tmp_path / "runs")
    assert ending(kept.record()) == ("infrastructure_failure", "sandbox_error", None)
    assert kept.transitions()[-1].action == "validate"
    assert not list(disk.glob("mlgym-*-*"))


@needs_root
@pytest.mark.parametrize("left_kb", [0, 4, 48, 160, SIZE_KB])
def test_a_home_without_room_is_a_clear_error_and_leaves_nothing_half_made(
    number_task: Path,
    backend: str,
    disk: Path,
    base_image: Path,
    monkeypatch: pytest.MonkeyPatch,
    left_kb: int,
) -> None:
    (disk / "envs").symlink_to(base_image.parent)
    fill(disk, left_kb)
    monkeypatch.setenv("MLGYM_HOME", str(disk))
    with MLGymEnv(number_task, sandbox=backend) as env:
        error = ""
        try:
            assert_grades(env)
        except SandboxError as raised:
            error = a_sentence(raised)
        assert left_kb > 0 or error
        assert left_kb < SIZE_KB or not error
        assert not error or "No space left on device" in error
        assert not [path.name for path in disk.rglob("*") if "new-" in path.name]
        (disk / "fill").unlink()
        assert_grades(env)
