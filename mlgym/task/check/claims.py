"""The values that a check is made of: a claim, what was found of it, the report of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Part = Literal["data", "grader", "image", "solution", "spec", "workspace"]
"""A part of a task that a claim may hang on."""


class RefutedError(Exception):
    """A claim does not hold; the message says what was seen."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that must hold of a task.

    `holds` answers with what was seen, or raises `RefutedError`, `TaskError`, `SubmissionError` or
    `ConfigError`. `parts` are those that the answer follows from; with none it is never kept.
    """

    name: str
    holds: Callable[[], str]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim about a task, whether it holds, and what was seen.

    `kept` says that it is of an earlier check of the same files. `duration_s` is in seconds.
    """

    name: str
    ok: bool
    detail: str
    duration_s: float
    kept: bool = False


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
