"""What a `validate` of a game costs, beside its simulation alone in a plain Python process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mlgym.bench.containers import own_pids
from mlgym.bench.measures import Measure, compared, in_turn, timed
from mlgym.bench.pinning import pin
from mlgym.bench.setting import GAME, Setting
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.sandbox.images import built_environment, load_image
from mlgym.task.spec import Task

_BARE = Path(__file__).with_name("bare_game.py")


def validation(setting: Setting) -> list[Measure]:
    """The whole `env.step("validate")` with warm grading sandboxes."""
    with setting.env() as env:
        _validate(env)
        # Now the graders run too: bubblewrap's are on our core by descent.
        if setting.backend == "docker":
            pin(own_pids(), setting.core)
        seconds = in_turn(
            timed(lambda: _validate(env)),
            timed(lambda: play_alone(env.task)),
            setting.plan.validations,
        )
    detail = f"{GAME}: its processes start anew each time, numpy included, on both sides"
    return [compared(setting.backend, "validate", seconds, against="the game alone", detail=detail)]


def play_alone(task: Task) -> str:
    """Play the task's grader against its starter strategy in a plain process; its metrics as JSON.

    Under the image's interpreter, or, where the image is not built for bubblewrap, ours.
    Raises SandboxError where it fails.
    """
    environment = built_environment(load_image(task.spec.image))
    python = str(environment / "bin" / "python") if environment else sys.executable
    done = subprocess.run(
        [python, str(_BARE), str(task.folder / task.spec.grader.script), task.folder / "workspace"],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"the game alone failed: {done.stderr[-2000:]}")
    return done.stdout


def _validate(env: MLGymEnv) -> None:
    text, *_, info = env.step("validate")
    if "metrics" not in info:
        raise SandboxError(f"`validate` gave no metrics: {text:.2000}")
