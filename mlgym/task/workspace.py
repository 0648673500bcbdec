"""Lays the files an episode starts with into a host folder, for a sandbox to copy.

The public data is no part of it: that is mounted at `/workspace/data`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from mlgym.catalog import home
from mlgym.errors import SandboxError
from mlgym.sandbox.guest.files import FIXED_MTIME
from mlgym.sandbox.laid import make_once
from mlgym.task.spec import Task, task_files


def staged_workspace(task: Task, with_solution: bool) -> Path:
    """The folder of `stage_workspace`, made once for this state of the task and shared by all.

    It lies under `$MLGYM_HOME/workspaces`. Raises SandboxError where that cannot be written.
    """
    key = "\0".join([task.sha256, str(with_solution), *task.executable])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = home() / "workspaces" / f"{task.spec.id}-{digest}"
    if folder.is_dir():
        return folder
    make_once(folder, lambda fresh: stage_workspace(task, fresh, with_solution))
    return folder


def stage_workspace(task: Task, folder: Path, with_solution: bool) -> Path:
    """Copy the starter files into `folder`, and the solution's over them where wanted.

    Modes and times are fixed, so that `ls -l` says the same everywhere. Returns `folder`.

    Raises:
        SandboxError: `folder` cannot be written.
    """
    layers = ["workspace", "solution"] if with_solution else ["workspace"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for layer in layers:
            for name, source in task_files(task.folder / layer):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        for path in [*folder.rglob("*"), folder]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (FIXED_MTIME, FIXED_MTIME))
    except OSError as error:
        raise SandboxError(f"the workspace cannot be laid into {folder}: {error}") from error
    return folder
