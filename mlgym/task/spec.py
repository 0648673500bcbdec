"""A task as the rest of MLGym sees it: `Task`, loaded from its folder and checked.

`schema.py` says which fields `task.yaml` has, `rules.py` what must hold between them. Every
mistake is a `TaskError` that names file, line, field, the value found and what was expected.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlgym import catalog
from mlgym.errors import ConfigError, TaskError
from mlgym.task.document import Document, FieldPath, read_document
from mlgym.task.rules import Problem, problems
from mlgym.task.schema import (
    PLACEHOLDER,
    BudgetSpec,
    CommandSpec,
    GraderSpec,
    MetricSpec,
    Profile,
    ProfileSpec,
    ResourceSpec,
    SourceSpec,
    SubmissionSpec,
    TaskSpec,
)
from mlgym.types import BriefLimits, TaskBrief

__all__ = [
    "BudgetSpec",
    "CommandSpec",
    "GraderSpec",
    "MetricSpec",
    "Profile",
    "ProfileSpec",
    "ResourceSpec",
    "SourceSpec",
    "SubmissionSpec",
    "Task",
    "TaskSpec",
    "find_task",
    "load_task",
    "task_files",
]

_SHOWN = 120  # characters of a found value that an error shows


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its spec, the folder it was loaded from, that folder's files and a hash over them.

    `files` are relative POSIX paths, in a fixed order; `executable` are those among them.
    """

    spec: TaskSpec
    folder: Path
    sha256: str
    files: tuple[str, ...]
    executable: tuple[str, ...]

    def brief(self, profile: str, steps: int) -> TaskBrief:
        """What an agent is told of the task, for one profile and a budget of `steps`."""
        spec = self.spec
        return TaskBrief(
            task=spec.id,
            title=spec.title,
            description=self.brief_text(profile),
            metric=spec.primary.name,
            goal=spec.primary.goal,
            baseline=spec.profile(profile).baseline[spec.primary.name],
            limits=BriefLimits(steps, spec.budget.wall_s, spec.budget.command_s),
        )

    def brief_text(self, profile: str) -> str:
        """The description as an agent reads it, for one profile."""
        primary = self.spec.primary
        values = {
            "data_docs": next(
                (text for name, text in self.spec.data_docs.items() if name == profile), ""
            ).strip(),
            "baseline": f"{self.spec.profile(profile).baseline[primary.name]:.6g}",
            "metric": primary.name,
        }
        return PLACEHOLDER.sub(
            lambda match: values[match[1]] if match[1] else match[0][0], self.spec.description
        ).strip()


def find_task(name_or_path: str | Path) -> Task:
    """The task of that name in the catalogue, or of that folder.

    Text is a path if it holds a separator. A `gym` id such as `mlgym/blotto-v1` is no task name.

    Raises:
        ConfigError: there is no such task or folder.
        TaskError: the task is broken.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text in (".", ".."):
        folder = Path(name_or_path).resolve()
        if not (folder / "task.yaml").is_file():
            raise ConfigError(
                f"{text}: holds no task.yaml. `mlgym tasks list` lists the tasks by name."
            )
        return load_task(folder)
    return load_task(catalog.resolve("tasks", text))


def load_task(folder: Path) -> Task:
    """Load and check the task in `folder`.

    Raises:
        TaskError: names every mistake in `task.yaml`, one a line.
    """
    document = read_document(folder / "task.yaml")
    try:
        spec = TaskSpec.model_validate(document.content)
    except ValidationError as error:
        found = [_from_pydantic(details) for details in error.errors(include_url=False)]
        raise _task_error(document, found) from None
    broken = list(problems(spec, folder))
    if broken:
        raise _task_error(document, broken)
    files = tuple(_names(str(folder), ""))
    executable = tuple(name for name in files if os.access(f"{folder}/{name}", os.X_OK))
    return Task(spec, folder, _sha256(str(folder), files), files, executable)


def task_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files in a folder of a task, as (relative POSIX path, file), in a fixed order.

    None where there is no such folder.
    """
    for name in _names(str(folder), "") if folder.is_dir() else ():
        yield name, folder / name


def _names(folder: str, below: str) -> Iterator[str]:
    # By strings: a cold start waits for this, and paths as objects take ten times as long.
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _names(entry.path, f"{below}{entry.name}/")
        elif entry.is_file() and not entry.name.endswith(".pyc"):
            yield below + entry.name


def _sha256(folder: str, files: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in files:
        path = f"{folder}/{name}"
        found = os.stat(path)  # noqa: PTH116 - see _names
        content = _content_sum(path, found.st_ino, found.st_size, found.st_mtime_ns)
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _content_sum(path: str, inode: int, size: int, mtime_ns: int) -> str:
    """A file's sum, read again only where the file is another one by its other arguments."""
    del inode, size, mtime_ns
    with open(path, "rb") as file:  # noqa: PTH123 - see _names
        return hashlib.file_digest(file, "sha256").hexdigest()


def _task_error(document: Document, found: list[Problem]) -> TaskError:
    return TaskError(
        "\n".join(
            f"{document.file}: {document.where(problem.path)}: "
            f"found {_shown(problem.found)}, expected {problem.expected}"
            for problem in found
        )
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, _Bare) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


class _Bare(str):
    """A found value that is words of ours, shown without quotes."""

    __slots__ = ()


def _from_pydantic(details: ErrorDetails) -> Problem:
    # pydantic marks a bad key of a mapping by a last part "[key]".
    path: FieldPath = tuple(part for part in details["loc"] if part != "[key]")
    kind, found = details["type"], details["input"]
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "missing":
        return Problem(path, _Bare("nothing"), "this field, which is required")
    if kind == "extra_forbidden":
        known = list(_fields_at(path[:-1]))
        near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        hint = f"{near[0]!r}?" if near else f"one of {', '.join(known)}"
        return Problem(path, _Bare(f"an unknown field {path[-1]!r}"), hint)
    if kind == "string_pattern_mismatch":
        message = f"text that matches {details['ctx']['pattern']}"  # pyright: ignore[reportTypedDictNotRequiredAccess]
    return Problem(path, found, message[:1].lower() + message[1:])


def _fields_at(path: FieldPath) -> Mapping[str, Any]:
    """The fields of the model that stands at `path` in a `TaskSpec`."""
    model: type[BaseModel] = TaskSpec
    for part in path:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = _model_in(field.annotation) or model
    return model.model_fields


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside a type such as `tuple[MetricSpec, ...]` or `CommandSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        model = _model_in(inner)
        if model is not None:
            return model
    return None
