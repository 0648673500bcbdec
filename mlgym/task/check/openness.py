"""The claims on what an agent can see: files, rows, names, and the packages of its image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from mlgym.sandbox.images import load_image
from mlgym.task.check.answers import Folders, read_folders
from mlgym.task.check.claims import RefutedError
from mlgym.task.check.order import hints
from mlgym.task.check.sample import predicted_columns
from mlgym.task.check.secrecy import leaks
from mlgym.task.check.twins import twins
from mlgym.task.data import Prepared
from mlgym.task.spec import Task

_SHOWN = 10  # leaks that one finding names


class Openness:
    """The claims on one preparation of a task's data; its folders are read when the first asks."""

    def __init__(self, task: Task, prepared: Prepared) -> None:
        self._task = task
        self._prepared = prepared

    @cached_property
    def folders(self) -> Folders:
        names = predicted_columns(self._task, self._prepared)
        return read_folders(self._task, self._prepared, names)

    def no_answer(self) -> str:
        return self._none(leaks(self.folders))

    def no_twin(self) -> str:
        return self._none(twins(self.folders))

    def no_hint(self) -> str:
        return self._none(hints(self.folders))

    def _none(self, found: Iterator[str]) -> str:
        told = list(found)
        if told:
            more = len(told) - _SHOWN
            raise RefutedError("\n".join(told[:_SHOWN] + ([f"and {more} more"] * (more > 0))))
        folders = self.folders
        rows = sum(answers.table.rows for answers in folders.answers)
        return (
            f"{len(folders.public_files)} public files, {rows} rows of answers in "
            f"{len(folders.private_files)} files"
        )

    def no_source_installed(self) -> str:
        spec = self._task.spec
        lines = load_image(spec.image).requirements.read_text("utf-8").splitlines()
        installed = {_normal(line.partition("==")[0]) for line in lines}
        sources = [source.package for source in spec.sources if source.package is not None]
        found = [name for name in sources if _normal(name) in installed]
        if found:
            raise RefutedError(f"the image {spec.image} installs {', '.join(found)}")
        return ", ".join(sources) or "no source is a package"


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")
