"""Lays the files an episode starts with into a host folder, for a sandbox to copy.

The public data is no part of it: that is mounted at `/workspace/data`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mlgym.errors import SandboxError
from mlgym.sandbox.guest.files import FIXED_MTIME
from mlgym.task.spec import Task, task_files


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
