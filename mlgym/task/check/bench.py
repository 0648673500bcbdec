"""The claims that take a grader: scores, budgets, bad submissions; and the runs they share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from mlgym.sandbox.base import Backend
from mlgym.task.check.answers import Folders
from mlgym.task.check.bad_files import refused_unseen
from mlgym.task.check.bad_predictions import Bad, bad_predictions, few_predictions
from mlgym.task.check.bad_programs import bad_programs, few_programs, narrow_programs
from mlgym.task.check.battery import Outcome, try_all, try_narrow, verdict
from mlgym.task.check.claims import RefutedError
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.meter import Meter
from mlgym.task.scale import normalized
from mlgym.task.spec import Task
from mlgym.task.submission import Files
from mlgym.task.trial import Trial, What, run_trial

BUDGETS_S: dict[What, float] = {"baseline": 120.0, "solution": 360.0}
"""What a run on `mini` may take on two cores, in seconds."""
GRADING_S = 60.0


@dataclass(frozen=True, slots=True)
class Graded:
    """A run and its first grading: the primary metric, and seconds by the clock and of the CPU."""

    trial: Trial
    value: float
    duration_s: float
    cpu_s: float | None


class Bench:
    """Runs the baseline and the solution at most once each, when a claim needs them.

    `sample` is the sample submission, `reduced` says that nothing may be trained and that of bad
    submissions one of each kind will do.
    """

    def __init__(
        self,
        task: Task,
        prepared: Prepared,
        backend: Backend,
        sample: Files | None,
        reduced: bool,
    ) -> None:
        self.task = task
        self.prepared = prepared
        self.backend = backend
        self.sample = sample
        self.reduced = reduced
        self._graded: dict[What, Graded] = {}

    def baseline_reproduces(self) -> str:
        graded = self.graded("baseline")
        primary = self.task.spec.primary
        committed = self.task.spec.profile(self.prepared.profile).baseline[primary.name]
        if self._is_mini and not primary.agree(graded.value, committed):
            expected = f"expected {committed:.6g} within {primary.tolerance:g}"
            raise RefutedError(f"{self._said(graded)}, {expected}")
        return f"{self._said(graded)}, committed {committed:.6g}"

    def solution_reaches_target(self) -> str:
        """On `mini` the target is the solution's own score; on `full` a published one to near."""
        graded = self.graded("solution")
        primary, values = self.task.spec.primary, self.task.spec.profile(self.prepared.profile)
        target, baseline = values.target[primary.name], values.baseline[primary.name]
        value, said = graded.value, self._said(graded)
        if self._is_mini and not primary.agree(value, target):
            raise RefutedError(f"{said}, expected {target:.6g} within {primary.tolerance:g}")
        better = value > baseline if primary.goal == "maximize" else value < baseline
        if not better:
            raise RefutedError(f"{said}, which does not beat the baseline {baseline:.6g}")
        return f"{said}, target {target:.6g}"

    def grading_is_stable(self) -> str:
        """Again, by a grader that has graded something else before."""
        primary = self.task.spec.primary
        agreed: list[str] = []
        with Grader(self.task, self.prepared, self.backend) as grader:
            for what in self._runs:
                graded = self.graded(what)
                grader.grade(graded.trial.files, "validation")
                again = grader.grade(graded.trial.files, "test")[primary.name]
                agreed.append(f"{what}: {graded.value:.6g} and {again:.6g}")
                if not primary.agree(graded.value, again):
                    raise RefutedError(f"{primary.name} of the {agreed[-1]}")
        return f"{primary.name} of the {'; '.join(agreed)}"

    def budgets_are_kept(self) -> str:
        """Too slow is what takes too long by the clock and in processor time: the clock alone
        tells of other programs too."""
        told: list[str] = []
        slow: list[str] = []
        for what in self._runs:
            graded = self.graded(what)
            spent = (
                (f"the {what}", graded.trial.duration_s, graded.trial.cpu_s, BUDGETS_S[what]),
                (f"grading the {what}", graded.duration_s, graded.cpu_s, GRADING_S),
            )
            for name, clock_s, cpu_s, limit_s in spent:
                told.append(f"{name} {_seconds(clock_s, cpu_s)}")
                if min(clock_s, clock_s if cpu_s is None else cpu_s) > limit_s:
                    slow.append(f"{told[-1]}, at most {limit_s:g} s are allowed")
        if slow:
            raise RefutedError("\n".join(slow))
        return "; ".join(told)

    def sample_is_graded(self) -> str:
        if self.sample is None:
            raise RefutedError(
                "there is none: put one among the starter files, or sample_submission.csv "
                "(or .json, .npz, or a folder sample_submission/) into the public data"
            )
        primary = self.task.spec.primary.name
        found: list[str] = []
        with Grader(self.task, self.prepared, self.backend) as grader:
            for split in ("validation", "test"):
                value = grader.grade(self.sample, split)[primary]
                found.append(f"{split} {value:.6g}")
        return f"{primary}: {', '.join(found)}"

    def files_are_refused(self) -> str:
        return refused_unseen(self.task, self.valid(), self.backend)

    def bad_gain_nothing(self, folders: Folders) -> str:
        valid = self.valid()
        if self.task.spec.submission.kind == "predictions":
            if valid is None:
                raise RefutedError("there is no valid submission to spoil")
            make = few_predictions if self.reduced else bad_predictions
            return verdict(self._tried(make(valid, folders)))
        if self.reduced:
            return verdict(self._tried(few_programs(self.task, valid)))
        outcomes = self._tried(bad_programs(self.task, valid))
        narrow = narrow_programs(self.task, valid)
        return verdict(outcomes + try_narrow(narrow, self.task, self.prepared, self.backend))

    def _tried(self, bad: Iterable[Bad]) -> list[Outcome]:
        with Grader(self.task, self.prepared, self.backend) as grader:
            return try_all(grader, self.task, self.prepared, bad)

    def valid(self) -> Files | None:
        """A submission to spoil: the sample, else what the baseline hands in."""
        if self.reduced or (
            self.sample is not None and self.task.spec.submission.kind == "program"
        ):
            return self.sample
        return self.graded("baseline").trial.files

    def graded(self, what: What) -> Graded:
        """A run and its grading, made when first asked for. Raises like `run_trial`."""
        if what not in self._graded:
            trial = run_trial(self.task, self.prepared, self.backend, what)
            meter = Meter(self.backend)
            with Grader(self.task, self.prepared, meter) as grader:
                began = time.monotonic()
                value = grader.grade(trial.files, "test")[self.task.spec.primary.name]
                duration = time.monotonic() - began
                self._graded[what] = Graded(trial, value, duration, meter.processor_s())
        return self._graded[what]

    @property
    def _runs(self) -> list[What]:
        return ["baseline"] if self.task.spec.solution is None else ["baseline", "solution"]

    @property
    def _is_mini(self) -> bool:
        return self.prepared.profile == "mini"

    def _said(self, graded: Graded) -> str:
        ran = _seconds(graded.trial.duration_s, graded.trial.cpu_s)
        primary = self.task.spec.primary.name
        # Adding 0 makes no minus of a rounded 0.
        place = round(normalized(self.task, self.prepared.profile, graded.value), 3) + 0.0
        return (
            f"{primary} {graded.value:.6g} ({place:.3f} normalized; ran {ran}; graded in "
            f"{_seconds(graded.duration_s, graded.cpu_s)})"
        )


def _seconds(clock_s: float, cpu_s: float | None) -> str:
    return f"{clock_s:.1f} s" if cpu_s is None else f"{clock_s:.1f} s, {cpu_s:.1f} s of CPU"
