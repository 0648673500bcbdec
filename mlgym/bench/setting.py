"""Where everything is measured: backend, core, counts, and a task made for it on the fly."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlgym.bench.pinning import pids_of, pin
from mlgym.bench.plan import Plan
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.sandbox.scratch import scratch

GAME = "battle_of_sexes"
"""The task that is stepped, and whose validation is measured."""
ECHO = "echo hi"
LINES = "lines.txt"
"""A text of 1 MB (10^6 bytes) in the workspace."""
MANY = 10**9
"""Steps: more than anything here takes."""
_LINE = b"step 000123: loss 0.48213, accuracy 0.7312, lr 0.0003, 0.81 s\n"
_FILES, _FILE_BYTES = 80, 50_000
_TASK = """\
id: bench
version: 1
title: What mlgym bench steps through
domain: data_science
description: Nothing is asked. {metric} {baseline}
image: base
submission: {kind: predictions, paths: [answer.txt], max_mb: 1}
grader: {script: grader/grade.py, timeout_s: 60}
metrics: [{name: value, goal: maximize}]
profiles: {mini: {baseline: {value: 0}, target: {value: 1}}}
budget: {steps: 50, wall_s: 86400, command_s: 600}
resources: {cpus: 2, memory_gb: 4, disk_gb: 1, gpus: 0, network: false}
"""
_GRADER = "def grade(submission, answers, split, rng):\n    return {'value': 0.0}\n"


@dataclass(frozen=True, slots=True)
class Setting:
    """`backend` is a backend's name, `core` the one that all is bound to, `laden` a task's folder
    with a workspace of 5 MB (10^6 bytes)."""

    backend: str
    plan: Plan
    core: int
    laden: Path

    @property
    def workspace(self) -> Path:
        """What a laden environment's workspace is laid from."""
        return self.laden / "workspace"

    @contextmanager
    def env(self, task: str | Path = GAME) -> Generator[MLGymEnv]:
        """An environment that has answered a first command, its processes bound to the core."""
        env = self.cold_env(task)
        try:
            answer(env)
            pin(pids_of(env.sandbox), self.core)
            yield env
        finally:
            env.close()

    def cold_env(self, task: str | Path = GAME) -> MLGymEnv:
        """An environment of which nothing is started."""
        return MLGymEnv(task, sandbox=self.backend, max_steps=MANY)


def answer(env: MLGymEnv) -> None:
    """Reset, and let a first command answer. Raises SandboxError where that says anything else."""
    env.reset(seed=0)
    said = env.step(ECHO)[0]
    if said != "hi\n":
        raise SandboxError(f"`{ECHO}` said {said!r:.200}")


@contextmanager
def bench_task() -> Generator[Path]:
    """The folder of a task with a workspace of 5 MB in 81 files; the same every time."""
    generator = random.Random(0)
    with scratch("bench") as folder:
        task = Path(folder) / "bench"
        workspace = task / "workspace"
        (task / "grader").mkdir(parents=True)
        (task / "task.yaml").write_text(_TASK, "utf-8")
        (task / "grader" / "grade.py").write_text(_GRADER, "utf-8")
        for number in range(_FILES):
            path = workspace / f"part{number % 8}" / f"file{number:02}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(generator.randbytes(_FILE_BYTES))
        (workspace / LINES).write_bytes((_LINE * (1_000_000 // len(_LINE) + 1))[:1_000_000])
        yield task
