"""Runs a task's own baseline or solution in a sandbox and grades what it hands in.

What `mlgym tasks check` and `mlgym tasks baseline` share.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlgym.errors import TaskError
from mlgym.sandbox.base import Backend, SandboxSpec
from mlgym.sandbox.scratch import scratch
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.meter import processor_s
from mlgym.task.sources import Log
from mlgym.task.spec import Task
from mlgym.task.submission import Files, collect
from mlgym.task.workspace import stage_workspace

What = Literal["baseline", "solution"]

_TAIL = 2000  # characters of a failed command's output that its error shows


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the baseline or the solution: what it handed in, and what it took.

    `duration_s` is in seconds of the clock, `cpu_s` of processor time, None where that is unknown.
    """

    files: Files
    duration_s: float
    cpu_s: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The test metrics of several runs, one mapping a seed, and what each run took.

    `durations_s` and `cpu_s` are of the runs alone, `gradings_s` of the gradings, by the clock.
    """

    what: What
    metrics: tuple[Mapping[str, float], ...]
    durations_s: tuple[float, ...]
    cpu_s: tuple[float | None, ...]
    gradings_s: tuple[float, ...]

    def mean(self, metric: str) -> float:
        return sum(values[metric] for values in self.metrics) / len(self.metrics)

    def spread(self, metric: str) -> float:
        """Highest less lowest."""
        found = [values[metric] for values in self.metrics]
        return max(found) - min(found)


def run_trial(task: Task, prepared: Prepared, backend: Backend, what: What, seed: int = 0) -> Trial:
    """Run the command of `what` in a fresh sandbox; without one the starter files are handed in.

    The variable `SEED` is exported to it, which starter code may use or not.

    Raises:
        TaskError: the command failed or ran past the task's own limit.
        SubmissionError: it left no submission.
        SandboxError: the infrastructure failed.
    """
    spec = task.spec
    command = spec.baseline if what == "baseline" else spec.solution
    with scratch("trial") as folder:
        staged = stage_workspace(task, Path(folder) / "workspace", with_solution=what == "solution")
        sandbox_spec = SandboxSpec(
            image=spec.image,
            workspace=staged,
            mounts=((prepared.public, "/workspace/data"),),
            limits=spec.limits(),
            network=spec.resources.network,
            label="mlgym-trial",
        )
        with backend(sandbox_spec) as sandbox:
            began = time.monotonic()
            if command is not None:
                result = sandbox.run(
                    f"export SEED={seed}\n{command.command}", spec.budget.command_s
                )
                if result.exit_code != 0 or result.timed_out:
                    raise TaskError(
                        f"{spec.id}: {what}: `{command.command}` ended with exit code "
                        f"{result.exit_code}:\n{result.output[-_TAIL:]}"
                    )
            duration = time.monotonic() - began
            spent = processor_s(sandbox)
            return Trial(collect(sandbox, spec.submission), duration, spent)


def measure(
    task: Task,
    prepared: Prepared,
    backend: Backend,
    grader: Grader,
    what: What,
    seeds: int,
    log: Log = lambda _: None,
) -> Measurement:
    """Run `what` with seeds from 0, grade each on the test part and log it.

    Raises like `run_trial`.
    """
    trials: list[Trial] = []
    metrics: list[Mapping[str, float]] = []
    gradings: list[float] = []
    for seed in range(seeds):
        trial = run_trial(task, prepared, backend, what, seed)
        began = time.monotonic()
        found = grader.grade(trial.files, "test")
        gradings.append(time.monotonic() - began)
        trials.append(trial)
        metrics.append(found)
        told = ", ".join(f"{name} {value:.6g}" for name, value in found.items())
        log(f"{what}, seed {seed}: {told} after {trial.duration_s:.1f} s")
    return Measurement(
        what,
        tuple(metrics),
        tuple(trial.duration_s for trial in trials),
        tuple(trial.cpu_s for trial in trials),
        tuple(gradings),
    )


def measure_baseline(
    task: Task,
    prepared: Prepared,
    backend: Backend,
    seeds: int = 3,
    log: Log = lambda _: None,
) -> tuple[Measurement, ...]:
    """Measure the baseline, and the solution where there is one, on the test part.

    Raises:
        TaskError: a command failed. SubmissionError: it left nothing that can be graded.
        SandboxError: the infrastructure failed.
    """
    parts: list[What] = ["baseline"] if task.spec.solution is None else ["baseline", "solution"]
    found: list[Measurement] = []
    with Grader(task, prepared, backend) as grader:
        for what in parts:
            log(f"measuring the {what} with {seeds} seeds")
            found.append(measure(task, prepared, backend, grader, what, seeds, log))
    return tuple(found)
