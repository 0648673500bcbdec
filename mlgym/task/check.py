"""Proves a task sound: its data, baseline, solution and grader do what `task.yaml` says.

`check_task` answers with findings, one a claim; `measure_baseline` with the numbers that an author
commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlgym import catalog
from mlgym.errors import ConfigError, SubmissionError, TaskError
from mlgym.sandbox.base import Backend
from mlgym.sandbox.scratch import scratch
from mlgym.task.data import Prepared, build, prepare, verify
from mlgym.task.grading import Grader
from mlgym.task.manifest import differences, read_manifest
from mlgym.task.sources import Log
from mlgym.task.spec import Task
from mlgym.task.trial import Measurement, Trial, What, measure, run_trial


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim about a task, whether it holds, and what was seen."""

    name: str
    ok: bool
    detail: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings on one profile of the task with this hash."""

    task: str
    sha256: str
    profile: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


class _RefutedError(Exception):
    """A claim does not hold."""


def check_task(
    task: Task, profile: str, backend: Backend, python: Path | None, log: Log = lambda _: None
) -> CheckReport:
    """Check every claim on one profile, with data seed 0. What fails is a finding, not an error.

    `python` is the interpreter of the image's environment, for the data script.

    Raises:
        SandboxError: the infrastructure failed, so that nothing is known.
    """
    findings: list[Finding] = []

    def claim(name: str, holds: Callable[[], str]) -> bool:
        log(f"checking: {name}")
        began = time.monotonic()
        try:
            ok, detail = True, holds()
        except (_RefutedError, TaskError, SubmissionError, ConfigError) as error:
            ok, detail = False, str(error)
        findings.append(Finding(name, ok, detail, time.monotonic() - began))
        return ok

    def report() -> CheckReport:
        return CheckReport(task.spec.id, task.sha256, profile, tuple(findings))

    sound = claim("the image exists", lambda: str(catalog.resolve("containers", task.spec.image)))
    stable = "data prepared twice is the same"
    sound = claim(stable, lambda: _data_is_stable(task, profile, python, log)) and sound
    if not sound:  # nothing can be built on it
        return report()
    prepared = prepare(task, profile, 0, python, log)
    with Grader(task, prepared, backend) as grader:
        bench = _Bench(task, prepared, backend, grader)
        claim("the baseline reproduces its committed score", bench.baseline_reproduces)
        if task.spec.solution is not None:
            claim("the solution reaches the target", bench.solution_reaches_target)
        claim("grading twice gives the same score", bench.grading_is_stable)
    return report()


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
            found.append(measure(task, prepared, backend, grader, what, seeds))
    return tuple(found)


def _data_is_stable(task: Task, profile: str, python: Path | None, log: Log) -> str:
    prepared = prepare(task, profile, 0, python, log)
    problems = verify(prepared)
    if not problems:
        with scratch("check") as folder:
            again = build(task, profile, 0, python, Path(folder), log)
            first = read_manifest(prepared.public.parent)
            problems = differences(first.files, again.files)
            if not problems:
                return f"{len(first.files)} files"
    raise _RefutedError("; ".join(problems))


class _Bench:
    """The claims that take a grader, and the submissions made on the way."""

    def __init__(self, task: Task, prepared: Prepared, backend: Backend, grader: Grader) -> None:
        self.task = task
        self.prepared = prepared
        self.backend = backend
        self.grader = grader
        self.trials: dict[What, Trial] = {}

    def baseline_reproduces(self) -> str:
        value, said = self._score("baseline")
        primary = self.task.spec.primary
        committed = self.task.spec.profile(self.prepared.profile).baseline[primary.name]
        if self.prepared.profile == "mini" and not primary.agree(value, committed):
            raise _RefutedError(f"{said}, expected {committed:.6g} within {primary.tolerance:g}")
        return f"{said}, committed {committed:.6g}"

    def solution_reaches_target(self) -> str:
        """On `mini` the target is the solution's own score; on `full` a published one to near."""
        value, said = self._score("solution")
        primary, profile = self.task.spec.primary, self.prepared.profile
        values = self.task.spec.profile(profile)
        target, baseline = values.target[primary.name], values.baseline[primary.name]
        if profile == "mini" and not primary.agree(value, target):
            raise _RefutedError(f"{said}, expected {target:.6g} within {primary.tolerance:g}")
        better = value > baseline if primary.goal == "maximize" else value < baseline
        if not better:
            raise _RefutedError(f"{said}, which does not beat the baseline {baseline:.6g}")
        return f"{said}, target {target:.6g}"

    def grading_is_stable(self) -> str:
        if not self.trials:
            raise _RefutedError("there is no submission to grade")
        primary = self.task.spec.primary
        differing: list[str] = []
        for what, trial in self.trials.items():
            self.grader.grade(trial.files, "validation")
            one = self.grader.grade(trial.files, "test")[primary.name]
            with Grader(self.task, self.prepared, self.backend) as fresh:
                other = fresh.grade(trial.files, "test")[primary.name]
            differing.append(f"{what}: {one:.6g} and {other:.6g}")
            if not primary.agree(one, other):
                raise _RefutedError(f"{primary.name} of the {differing[-1]}")
        return f"{primary.name} of the {'; '.join(differing)}"

    def _score(self, what: What) -> tuple[float, str]:
        trial = self.trials[what] = run_trial(self.task, self.prepared, self.backend, what)
        began = time.monotonic()
        value = self.grader.grade(trial.files, "test")[self.task.spec.primary.name]
        return value, (
            f"{self.task.spec.primary.name} {value:.6g} (ran {trial.duration_s:.1f} s, "
            f"graded in {time.monotonic() - began:.1f} s)"
        )
