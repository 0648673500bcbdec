"""A task's folders as a test wants them, read as the check reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from data_files import table, write

from mlgym.task.check.answers import Folders, read_folders
from mlgym.task.data import Prepared
from mlgym.task.spec import load_task

Lay = Callable[..., Folders]


@pytest.fixture
def lay(toy_task: Path, tmp_path: Path) -> Lay:
    """Write `public`, `private` and `starters` (path -> text or bytes), and read them."""

    def lay(
        public: Mapping[str, str | bytes],
        private: Mapping[str, str | bytes],
        predicted: Sequence[str] = (),
        starters: Mapping[str, str | bytes] | None = None,
    ) -> Folders:
        for root, files in (("public", public), ("private", private)):
            for name, content in files.items():
                write(tmp_path / "data" / root / name, content)
        for name, content in (starters or {}).items():
            write(toy_task / "workspace" / name, content)
        prepared = Prepared(tmp_path / "data" / "public", tmp_path / "data" / "private", "mini", 0)
        return read_folders(load_task(toy_task), prepared, predicted)

    return lay


@pytest.fixture
def classes() -> dict[str, dict[str, str]]:
    """Public and private files of a sound task: 400 rows of four classes, half of them hidden."""
    rng = np.random.default_rng(0)
    rows = {
        "id": rng.permutation(400) + 1,
        "size": rng.normal(size=400).round(6),
        "kind": rng.choice(["red", "blue", "green"], 400),
        "label": rng.integers(0, 4, 400),
    }

    def part(start: int, stop: int, *names: str) -> str:
        order = start + np.argsort(rows["id"][start:stop])
        return table({name: rows[name][order] for name in names})

    return {
        "public": {
            "train.csv": part(200, 400, *rows),
            "test.csv": part(0, 200, "id", "size", "kind"),
            "sample_submission.csv": table({"id": sorted(rows["id"][:200]), "label": [0] * 200}),
        },
        "private": {
            "validation.csv": part(0, 100, "id", "label"),
            "test.csv": part(100, 200, "id", "label"),
        },
    }
