"""The running account of one episode: steps, time, what was graded, what was paid."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mlgym.errors import SandboxError, TaskError
from mlgym.judge import Best, Judge
from mlgym.reward import FOR_GRADES, BaselineScorer, RewardContext, RewardFunction
from mlgym.tools.base import EditorState
from mlgym.tools.notes import Notebook
from mlgym.types import ExitReason, Image, Score, Transition


@dataclass(frozen=True, slots=True)
class Account:
    """An episode's account at one moment, to go on from. `elapsed_s` is in seconds."""

    steps: int
    elapsed_s: float
    total_reward: float
    best_paid: float
    editor: EditorState
    kept: Best | None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Episode:
    """What changes while an episode runs. Times are in seconds.

    With `branching` the episode may be played on from any of its points, its end included, so that
    what it is graded to is no score.
    """

    judge: Judge
    scorer: BaselineScorer
    reward: RewardFunction
    branching: bool = False
    editor: EditorState = field(default_factory=EditorState)
    memory: Notebook = field(default_factory=Notebook)
    steps: int = 0
    elapsed_s: float = 0.0
    """Inside `step`, gradings not counted."""
    total_reward: float = 0.0
    score: Score | None = None
    exit_reason: ExitReason | None = None
    graded: Score | None = None
    """What the current step's grading came to, the last one if there were two."""
    image: Image | None = None
    """What the current step showed."""
    _best_paid: float = 0.0
    _began: float = 0.0
    _grading_s: float = 0.0
    _last: Transition | tuple[Any, ...] | None = None
    _last_step: int = 0

    @property
    def last(self) -> Transition | None:
        """The last step, or the reset, as it is recorded; made now, as most loops never ask."""
        if isinstance(self._last, tuple):
            self._last = Transition(*self._last)
        return self._last

    @last.setter
    def last(self, last: Transition) -> None:
        self._last, self._last_step = last, last.step

    def account(self) -> Account:
        """What is to be known of it to go on from here."""
        return Account(
            self.steps,
            self.elapsed_s,
            self.total_reward,
            self._best_paid,
            replace(self.editor),
            self.judge.kept,
            self.memory.texts,
        )

    def go_on_from(self, account: Account, *, keep_budget: bool) -> None:
        """Take an account over; with `keep_budget` all that the episode has had goes on counting.

        That is its steps and time, what was paid, and the best validation: a branch that is left
        has been paid for, so that it may still win, and is not paid a second time.
        """
        if keep_budget:
            self.judge.keep(account.kept)
        else:
            self.steps, self.elapsed_s = account.steps, account.elapsed_s
            self.total_reward, self._best_paid = account.total_reward, account.best_paid
            self.judge.kept = account.kept
        self.editor = replace(account.editor)
        self.memory.texts = account.notes
        self.score = self.exit_reason = self.graded = self.image = None

    def conclude(self, reason: ExitReason, graded: Score | None) -> None:
        """It is over: what it was graded to is its score, unless it may be played on."""
        self.exit_reason, self.graded = reason, graded
        self.score = None if self.branching else graded

    def void(self, error: SandboxError | TaskError) -> None:
        """It was failed by infrastructure or task: there is no score."""
        lost = isinstance(error, SandboxError)
        self.exit_reason = ExitReason.SANDBOX_ERROR if lost else ExitReason.TASK_ERROR
        self.score = None

    @contextmanager
    def voided_by_failures(self) -> Generator[None]:
        """Voids the episode where infrastructure or task fail, and lets the error out."""
        try:
            yield
        except (SandboxError, TaskError) as error:
            self.void(error)
            raise

    def begin_step(self) -> None:
        self.graded = self.image = None
        self._grading_s = 0.0
        self._began = time.monotonic()

    @contextmanager
    def grading(self) -> Generator[None, None, None]:
        """Time spent here is not the agent's."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._grading_s += time.monotonic() - began

    def end_work(self) -> None:
        """The agent's part of the step is over: its time counts, and so does the step."""
        self.elapsed_s += time.monotonic() - self._began - self._grading_s
        self.steps += 1

    def pay(self, tool: str, exit_code: int | None) -> float:
        """The step's reward."""
        if self.graded is None and self.exit_reason is None and self.reward in FOR_GRADES:
            return 0.0
        void = self.exit_reason is not None and self.exit_reason.is_infrastructure
        graded = self.graded if not void else None
        clipped = 0.0
        if graded is not None:
            clipped = self.scorer.clipped(graded.metrics[graded.primary])
        context = RewardContext(
            step=self.steps,
            tool=tool,
            exit_code=exit_code,
            metrics=None if graded is None else dict(graded.metrics),
            split=None if graded is None else graded.split,
            score=clipped,
            best=self._best_paid,
            exit_reason=self.exit_reason,
            scorer=self.scorer,
        )
        # Where the episode is void no function is asked: there is nothing to reward.
        paid = 0.0 if void else float(self.reward(context))
        if graded is not None and graded.split == "validation":
            self._best_paid = max(self._best_paid, clipped)
        self.total_reward += paid
        return paid

    def info(self, tool: str, exit_code: int | None, remaining_steps: int) -> dict[str, Any]:
        """What Gymnasium's `info` holds after a step: fresh, and never a None."""
        info: dict[str, Any] = {
            "step": self.steps,
            "remaining_steps": remaining_steps,
            "tool": tool,
        }
        if exit_code is not None:
            info["exit_code"] = exit_code
        if self.graded is not None:
            info["metrics"] = dict(self.graded.metrics)
        if self.judge.kept is not None:
            info["best_metrics"] = dict(self.judge.kept.score.metrics)
        if self.exit_reason is not None:
            info["exit_reason"] = str(self.exit_reason)
        if self.score is not None:
            info["score"] = self.score.normalized
        return info

    def record(
        self, action: str | None, observation: str, paid: float, tool: str, exit_code: int | None
    ) -> tuple[bool, bool]:
        """The step, or the reset, is over: from here on it is the last one.

        Gives Gymnasium's (terminated, truncated).
        """
        reason = self.exit_reason
        terminated = reason is ExitReason.SUBMITTED or reason is ExitReason.FORFEITED
        truncated = reason is not None and not terminated
        # In the order of a transition's fields; its parent is the step in whose state it was taken.
        self._last = (
            self.steps,
            self._last_step if self.steps else None,
            "",
            action,
            observation,
            paid,
            terminated,
            truncated,
            tool,
            exit_code,
            None if self.graded is None else dict(self.graded.metrics),
            time.monotonic() - self._began,
            None,
            time.time(),
            None if self.image is None else self.image.name,
        )
        self._last_step = self.steps
        return terminated, truncated
