"""A viewer of a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from viewers import Viewer, viewing


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def viewer(runs: Path) -> Iterator[Viewer]:
    with viewing(runs) as started:
        yield started
