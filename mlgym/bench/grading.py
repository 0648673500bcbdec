"""What a `validate` of a game costs, beside its simulation alone in a plain Python process.

By the clock, and in processor time: nothing is done ahead of a grading or put off until after it,
and this is where one would see it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mlgym.bench.containers import own_pids
from mlgym.bench.measures import MS, Measure, compared, in_turn, measure, timed
from mlgym.bench.pinning import pin
from mlgym.bench.setting import GAME, Setting
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.sandbox.images import built_environment, load_image
from mlgym.sandbox.pids import descendants
from mlgym.task.spec import Task

_BARE = Path(__file__).with_name("bare_game.py")
_ALONE = "the game alone"


def validation(setting: Setting) -> list[Measure]:
    """The whole `env.step("validate")` with warm grading sandboxes."""
    with setting.env() as env:
        _validate(env)
        # Now the graders run too: bubblewrap's are on our core by descent.
        contained: list[int] = []
        if setting.backend == "docker":
            contained = own_pids()
            pin(contained, setting.core)
        ours = _Meter(lambda: _validate(env), lambda: _ours_s(contained))
        alone = _Meter(lambda: play_alone(env.task), _reaped_s)
        seconds = in_turn(timed(ours), timed(alone), setting.plan.validations)
    detail = f"{GAME}: processes start anew each time, numpy included, on both sides"
    spent = measure(
        setting.backend,
        "validate_cpu",
        ours.mean_s * MS,
        alone.mean_s * MS,
        against=_ALONE,
        detail=f"processor time, mean of {ours.times}, of all processes of ours",
    )
    return [compared(setting.backend, "validate", seconds, against=_ALONE, detail=detail), spent]


class _Meter:
    """Does something and adds up by how much that raised a reading, in seconds."""

    def __init__(self, action: Callable[[], object], reading: Callable[[], float]) -> None:
        self._action = action
        self._reading = reading
        self._spent_s = 0.0
        self.times = 0

    def __call__(self) -> None:
        before = self._reading()
        self._action()
        self._spent_s += self._reading() - before
        self.times += 1

    @property
    def mean_s(self) -> float:
        return self._spent_s / self.times


def _ours_s(others: Iterable[int]) -> float:
    """Processor time of this process, all that descends from it and `others`, in seconds."""
    ticks = 0
    for pid in {*descendants(os.getpid()), *others}:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
            # Of itself and of its children that have ended.
            ticks += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _reaped_s() -> float:
    """Processor time of this process's children that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
