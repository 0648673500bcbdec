"""Grades the submissions of one episode and remembers the best validated one.

It holds the one rule of what is scored: `submit` grades the submission as it stands; an ending from
outside grades the files of the best validation, else the current ones; `forfeit` and a failure of
the infrastructure grade nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlgym.errors import SubmissionError, TaskError
from mlgym.reward import BaselineScorer
from mlgym.sandbox.base import Sandbox
from mlgym.task.graders import Grades
from mlgym.task.spec import Task
from mlgym.task.submission import Files, collect
from mlgym.types import ExitReason, Score, ScoreSource, Split


@dataclass(frozen=True, slots=True)
class Ending:
    """How an episode was judged: its score, or why there is none."""

    score: Score | None
    why_unscored: str = ""


@dataclass(frozen=True, slots=True)
class Best:
    """The best validated submission: its score and its files."""

    score: Score
    files: Files


class Judge:
    """One episode's. `grader` is warm and outlives it. `kept` is the best so far."""

    def __init__(
        self, task: Task, grader: Grades, scorer: BaselineScorer, kept: Best | None = None
    ) -> None:
        self._task = task
        self._grader = grader
        self._scorer = scorer
        self.kept = kept

    @property
    def best(self) -> Score | None:
        """The score of the best validation so far."""
        return self.kept.score if self.kept else None

    def keep(self, other: Best | None) -> None:
        """Keep another submission of this task where it is better than the best so far."""
        if other is not None and (
            self.best is None or other.score.normalized > self.best.normalized
        ):
            self.kept = other

    def validate(self, sandbox: Sandbox) -> Score:
        """Grade the current submission on the validation split, and keep it if it is the best.

        Best is the highest unclipped normalized score, the later one on a tie.

        Raises:
            SubmissionError: it cannot be graded.
            TaskError, SandboxError: the grader or the infrastructure failed.
        """
        files = collect(sandbox, self._task.spec.submission)
        score = self._grade(files, "validation", "submitted")
        if self.best is None or score.normalized >= self.best.normalized:
            self.kept = Best(score, files)
        return score

    def conclude(self, reason: ExitReason, sandbox: Sandbox) -> Ending:
        """The final score by the rule, on the test split.

        Raises:
            TaskError, SandboxError: the grader or the infrastructure failed.
        """
        if reason is ExitReason.FORFEITED:
            return Ending(None, "the episode was forfeited")
        if reason.is_infrastructure:
            return Ending(None, f"the episode is void: {reason}")
        source: ScoreSource = "last_workspace"
        if reason is ExitReason.SUBMITTED:
            source = "submitted"
        elif self.kept is not None:
            source = "best_validated"
        try:
            if self.kept is not None and source == "best_validated":
                files = self.kept.files
            else:
                files = collect(sandbox, self._task.spec.submission)
            return Ending(self._grade(files, "test", source))
        except SubmissionError as error:
            return Ending(None, str(error))

    def _grade(self, files: Files, split: Split, source: ScoreSource) -> Score:
        metrics = self._grader.grade(files, split)
        primary = self._task.spec.primary.name
        normalized = self._scorer.normalized(metrics[primary])
        if not math.isfinite(normalized):
            raise TaskError(
                f"{self._task.spec.id}: the grader gave {primary} = {metrics[primary]},"
                " which has no place on the metric's scale"
            )
        return Score(dict(metrics), primary, normalized, split, source)
