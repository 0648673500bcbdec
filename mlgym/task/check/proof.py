"""Goes through a task's claims in order, and recalls what an earlier check has found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from mlgym import catalog
from mlgym.errors import ConfigError, SubmissionError, TaskError
from mlgym.sandbox.base import Backend
from mlgym.sandbox.scratch import scratch
from mlgym.task.check.bench import Bench
from mlgym.task.check.claims import CheckReport, Claim, Finding, Part, RefutedError
from mlgym.task.check.memory import Memory
from mlgym.task.check.openness import Openness
from mlgym.task.check.sample import find_sample
from mlgym.task.data import Prepared, build, prepare, verify
from mlgym.task.manifest import differences, read_manifest
from mlgym.task.sources import Log
from mlgym.task.spec import Task, load_task

_UNSOLVED: tuple[Part, ...] = ("data", "grader", "image", "spec", "workspace")
_ALL: tuple[Part, ...] = (*_UNSOLVED, "solution")


def check_task(
    task: Task,
    profile: str,
    backend: Backend,
    python: Path | None,
    log: Log = lambda _: None,
    *,
    reduced: bool = False,
    memory: Memory | None = None,
) -> CheckReport:
    """Check every claim on one profile, with data seed 0. What fails is a finding, not an error.

    `python` is the interpreter of the image's environment, for the data script. `reduced` leaves
    out what takes a run of the baseline or the solution, and most bad submissions. Without `memory`
    everything is looked at.

    Raises:
        SandboxError: the infrastructure failed, so that nothing is known.
    """
    findings: list[Finding] = []

    def check(claim: Claim) -> bool:
        kept = memory.recall(task, profile, claim) if memory else None
        finding = kept or _found(claim, log)
        findings.append(finding)
        if memory and not kept:
            memory.keep(task, profile, claim, finding)
        return finding.ok

    # Where one of these does not hold nothing can be built on it.
    if all(check(claim) for claim in _foundations(task, profile, python, log)):
        prepared = prepare(task, profile, 0, python, log)
        for claim in _claims(task, prepared, backend, reduced):
            check(claim)
    return CheckReport(task.spec.id, task.sha256, profile, tuple(findings))


def broken_task(name: str, error: TaskError) -> CheckReport:
    """The report on a task that cannot be loaded."""
    return CheckReport(name, "", "", (Finding("the spec loads", False, str(error), 0.0),))


def _found(claim: Claim, log: Log) -> Finding:
    log(f"checking: {claim.name}")
    began = time.monotonic()
    try:
        ok, detail = True, claim.holds()
    except (RefutedError, TaskError, SubmissionError, ConfigError) as error:
        ok, detail = False, str(error)
    return Finding(claim.name, ok, detail, time.monotonic() - began)


def _foundations(task: Task, profile: str, python: Path | None, log: Log) -> Iterator[Claim]:
    """What all other claims stand on."""
    yield Claim("the spec loads", lambda: load_task(task.folder).spec.gym_id)
    yield Claim("the image exists", lambda: str(catalog.resolve("containers", task.spec.image)))
    yield Claim(
        "data prepared twice is the same",
        lambda: _data_is_stable(task, profile, python, log),
        ("data", "image"),
    )


def _claims(task: Task, prepared: Prepared, backend: Backend, reduced: bool) -> Iterator[Claim]:
    spec = task.spec
    openness = Openness(task, prepared)
    sample = find_sample(task, prepared)
    bench = Bench(task, prepared, backend, sample, reduced)
    yield Claim("the starter files explain themselves", lambda: _explained(task))
    yield Claim("no image holds the data's source", openness.no_source_installed)
    yield Claim("no public file holds an answer", openness.no_answer, ("data", "spec", "workspace"))
    yield Claim("no row to predict has a public label", openness.no_twin, ("data", "spec"))
    yield Claim("neither names nor order tell", openness.no_hint, ("data", "spec"))
    if not reduced:
        yield Claim(
            "the baseline reproduces its committed score", bench.baseline_reproduces, _UNSOLVED
        )
        if spec.solution is not None:
            yield Claim("the solution reaches the target", bench.solution_reaches_target, _ALL)
        yield Claim("grading twice gives the same score", bench.grading_is_stable, _ALL)
        if prepared.profile == "mini":
            yield Claim("the time budgets are kept", bench.budgets_are_kept, _ALL)
    if spec.submission.kind != "model":
        yield Claim("a sample submission is shipped and graded", bench.sample_is_graded, _UNSOLVED)
    yield Claim(
        "bad files are refused before any grading",
        bench.files_are_refused,
        ("image", "spec", "workspace"),
    )
    yield Claim(
        "few bad submissions gain nothing" if reduced else "bad submissions gain nothing",
        lambda: bench.bad_gain_nothing(openness.folders),
        _UNSOLVED,
    )


def _explained(task: Task) -> str:
    readme = task.folder / "workspace" / "README.md"
    if not readme.is_file():
        raise RefutedError(f"{readme} is missing: it says what the starter files are")
    return "README.md"


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
    raise RefutedError("; ".join(problems))
