"""Preparing a task's data in tests."""

import sys
from pathlib import Path

from mlgym.task import data
from mlgym.task.spec import load_task

PYTHON = Path(sys.executable)


def rewrite(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def prepare(folder: Path, profile: str = "mini", data_seed: int = 0) -> data.Prepared:
    return data.prepare(load_task(folder), profile, data_seed, PYTHON)
