"""Makes ready what an episode or a grading needs: the image where it can be built, the data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from mlgym.sandbox.docker_client import connect
from mlgym.sandbox.docker_images import require_docker_image
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.data import Prepared, find_prepared, prepare
from mlgym.task.spec import Task

Log = Callable[[str], None]


def data_python(task: Task, log: Log) -> Path | None:
    """The interpreter for the task's data script, its environment built where it is missing.

    None for a task without a script. Raises ConfigError, SandboxError.
    """
    if task.spec.data is None:
        return None
    return build_environment(load_image(task.spec.image), log) / "bin" / "python"


def ready_data(task: Task, profile: str, data_seed: int, log: Log) -> Prepared:
    """The data, prepared where it is missing. `log` gets a line for all that takes time.

    Raises:
        ConfigError, TaskError, SandboxError: as `mlgym.task.data.prepare`.
    """
    found = find_prepared(task, profile, data_seed)
    if found is not None:
        return found
    return prepare(task, profile, data_seed, data_python(task, log), log)


def ready_image(task: Task, backend: str, log: Log) -> None:
    """Build the task's image for bubblewrap where it is missing; docker's must have been built.

    Raises:
        ConfigError: no such image.
        SandboxError: it cannot be built; no Docker daemon answers, or that has no such image.
    """
    image = load_image(task.spec.image)
    if backend == "bubblewrap":
        build_environment(image, log)
    elif backend == "docker":
        with contextlib.closing(connect()) as client:
            require_docker_image(client, image.name)
