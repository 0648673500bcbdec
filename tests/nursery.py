"""The grader of tree skeletons in tests: its data in small, and submissions for it."""

from __future__ import annotations

import importlib
import importlib.util
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import preparing
import pytest

from mlgym.task import data
from mlgym.task.spec import find_task

TASK = find_task("tree_skeletons")
TRAIN, HIDDEN = 800, 300
GRADER = ("grade", "measures", "novelty", "reading", "sketch")
Arrays = dict[str, Any]
Grade = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> data.Prepared:
    folder = tmp_path_factory.mktemp("tasks") / "tree_skeletons"
    shutil.copytree(TASK.folder, folder)
    preparing.rewrite(folder, "data.py", '"mini": (4000, 1000)', f'"mini": ({TRAIN}, {HIDDEN})')
    return preparing.prepare(folder)


@pytest.fixture(scope="module")
def train(prepared: data.Prepared) -> Arrays:
    return load(prepared.public / "train.npz")


@pytest.fixture(scope="module")
def nursery() -> ModuleType:
    """The task's data script, to grow more trees with."""
    spec = importlib.util.spec_from_file_location("tree_nursery", TASK.folder / "data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def grade(prepared: data.Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grade]:
    """The grader as the grading sandbox sees it: beside it the kit, under the kit's names."""
    folder = tmp_path_factory.mktemp("grader")
    for kit in Path(data.__file__).parent.glob("kit*.py"):
        shutil.copy(kit, folder / f"mlgym_{kit.name}")
    for name in GRADER:
        shutil.copy(TASK.folder / "grader" / f"{name}.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        module = importlib.import_module("grade")

        def grade(arrays: Arrays | bytes, split: str = "test") -> dict[str, float]:
            content = arrays if isinstance(arrays, bytes) else written(arrays)
            (folder / "samples.npz").write_bytes(content)
            return module.grade(folder, prepared.private, split, np.random.default_rng(0))

        yield grade
    for name in (*GRADER, "mlgym_kit", "mlgym_kit_csv"):
        sys.modules.pop(name, None)


def load(path: Path) -> Arrays:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def written(arrays: Arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def rows(arrays: Arrays, chosen: Any) -> Arrays:
    return {name: array[chosen] for name, array in arrays.items()}


def joined(one: Arrays, other: Arrays) -> Arrays:
    return {name: np.concatenate([one[name], other[name]]) for name in one}
