"""Grades one bad submission after the other: each is refused clearly, or gains nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlgym.errors import SandboxError, SubmissionError, TaskError
from mlgym.sandbox.base import Backend
from mlgym.task.check.bad_predictions import Bad
from mlgym.task.check.bad_programs import Narrow, found_something
from mlgym.task.check.claims import RefutedError
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.scale import normalized
from mlgym.task.spec import Task

GAIN = 0.1
"""The normalized score above which a bad submission has gained something."""
_LONGEST = 5_000  # characters of a refusal, a program's traceback among them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one bad submission; `wrong` says why that must not be, None where it may."""

    name: str
    place: float | None
    wrong: str | None


def try_all(grader: Grader, task: Task, prepared: Prepared, bad: Iterable[Bad]) -> list[Outcome]:
    """Grade each on the test part.

    Raises:
        SandboxError: the infrastructure failed, twice in a row on the same submission.
    """
    return [_tried(grader, task, prepared, each) for each in bad]


def try_narrow(
    narrow: Iterable[Narrow], task: Task, prepared: Prepared, backend: Backend
) -> list[Outcome]:
    """The same within narrower limits, each with a grader of its own."""
    found: list[Outcome] = []
    for each in narrow:
        with Grader(each.task(task), prepared, backend) as grader:
            found.append(_tried(grader, task, prepared, each.bad))
    return found


def verdict(outcomes: list[Outcome]) -> str:
    """The outcomes in words. Raises RefutedError where one of them must not be."""
    wrong = [f"{outcome.name}: {outcome.wrong}" for outcome in outcomes if outcome.wrong]
    if wrong:
        raise RefutedError("\n".join(wrong))
    scored = {outcome.name: outcome.place for outcome in outcomes if outcome.place is not None}
    refused = f"{len(outcomes)} tried, {len(outcomes) - len(scored)} refused"
    if not scored:
        return refused
    place, best = max((place, name) for name, place in scored.items())
    return f"{refused}, {len(scored)} scored, at best {place:.3g} normalized ({best})"


def _tried(grader: Grader, task: Task, prepared: Prepared, bad: Bad) -> Outcome:
    try:
        try:
            metrics = grader.grade(bad.files, "test")
        except SandboxError:
            # Once more: a bad submission that takes its sandbox with it does so every time.
            metrics = grader.grade(bad.files, "test")
    except SubmissionError as error:
        return Outcome(bad.name, None, _unclear(str(error)))
    except TaskError as error:
        return Outcome(bad.name, None, f"the grader failed on it: {_end(str(error))}")
    except SandboxError as error:
        return Outcome(bad.name, None, f"the sandbox was lost, twice: {_end(str(error))}")
    place = normalized(task, prepared.profile, metrics[task.spec.primary.name])
    wrong = None
    if place > GAIN:
        wrong = f"scored {metrics}, which is {place:.3g} normalized"
    return Outcome(bad.name, place, wrong)


def _unclear(message: str) -> str | None:
    """What is wrong with the words of a refusal."""
    if found_something(message):
        return f"it found what it must not: {_end(message)}"
    if len(message.strip()) < 10:
        return f"the refusal says too little: {message!r}"
    if len(message) > _LONGEST:
        return f"the refusal is {len(message)} characters long"
    return None


def _end(message: str) -> str:
    return " ".join(message.split())[-300:]
