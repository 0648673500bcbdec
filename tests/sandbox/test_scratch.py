"""Temporary folders whose owners are gone are found; those in use are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlgym.sandbox.scratch import remove_abandoned, scratch

OWNER = """
import sys, time
from mlgym.sandbox.scratch import scratch
with scratch("orphan") as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_in_use_is_left_alone_and_goes_with_its_block(tmp_path: Path) -> None:
    with scratch("work") as folder:
        assert Path(folder).parent == tmp_path
        assert remove_abandoned(younger_s=0) == []
    assert not Path(folder).exists()


def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as owner:
        folder = owner.stdout.readline().strip() if owner.stdout else ""
        assert remove_abandoned(younger_s=0) == []
        owner.kill()
        owner.wait()
    assert remove_abandoned() == []  # too young to tell
    assert remove_abandoned(younger_s=0) == [folder]
    assert not Path(folder).exists()


def test_other_folders_are_nobody_s_business(tmp_path: Path) -> None:
    for name in ("mlgym-1000", "mlgym-notes", "other-work-abc"):
        (tmp_path / name).mkdir()
    (tmp_path / "mlgym-link-abc").symlink_to(tmp_path / "other-work-abc")
    assert remove_abandoned(younger_s=0) == []
