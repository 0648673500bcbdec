"""Running lines of code beside a task's data script, in tests."""

import os
import subprocess
from pathlib import Path

from mlgym.task.spec import Task


def run_beside(task: Task, python: Path, script: str, *arguments: object, **variables: str) -> str:
    """What a script prints, run by the interpreter `python` with the task's folder on its path.

    `variables` are added to the environment.
    """
    begin = f"import sys\nsys.path.insert(0, {str(task.folder)!r})\n"
    done = subprocess.run(
        [python, "-B", "-c", begin + script, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
