"""Finds the sample submission that a task ships, and what its columns are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlgym.task.check.answers import KEYS
from mlgym.task.check.tables import read_tables
from mlgym.task.data import Prepared
from mlgym.task.spec import Task
from mlgym.task.submission import Files


def find_sample(task: Task, prepared: Prepared) -> Files | None:
    """The sample submission, None where a declared path has none.

    For `submission.csv` it is the starter file of that name, else that in a folder
    `sample_submission/`, else `sample_submission.csv` or `sample.csv`, among the starter files or
    the public data. Weights of a model may be missing.
    """
    files: dict[str, bytes] = {}
    for declared in task.spec.submission.paths:
        found = dict(_found(task, prepared, declared))
        if not found and not (files and task.spec.submission.kind == "model"):
            return None
        files |= found
    return files


def predicted_columns(task: Task, prepared: Prepared) -> list[str]:
    """The columns that a submission predicts; empty where it is no table with a sample."""
    names: list[str] = []
    for declared in task.spec.submission.paths:
        for place in _places(task, prepared, declared):
            for table in read_tables(place, declared) if place.is_file() else ():
                columns = list(table.columns)
                named = [name for name in columns if name.lower() in KEYS or name.endswith("id")]
                names += [name for name in columns if name != (named or columns)[0]]
            if place.is_file():
                break
    return names


def _found(task: Task, prepared: Prepared, declared: str) -> Iterator[tuple[str, bytes]]:
    for place in _places(task, prepared, declared):
        if declared.endswith("/") and place.is_dir():
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    yield f"{declared}{path.relative_to(place).as_posix()}", path.read_bytes()
            return
        if not declared.endswith("/") and place.is_file():
            yield declared, place.read_bytes()
            return


def _places(task: Task, prepared: Prepared, declared: str) -> Iterator[Path]:
    """Where the sample of one declared path may be, the likeliest first."""
    name = Path(declared).name
    suffix = "".join(Path(declared).suffixes)
    starter = task.folder / "workspace"
    yield starter / declared
    for root in (starter, prepared.public):
        yield root / "sample_submission" / declared
    for root in (starter, prepared.public):
        yield root / f"sample_{name}"
        if not declared.endswith("/"):
            yield root / f"sample_submission{suffix}"
            yield root / f"sample{suffix}"
