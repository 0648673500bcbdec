"""The running account of one episode: steps, time, what was graded, what was paid."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mlgym.judge import Judge
from mlgym.reward import BaselineScorer, RewardContext, RewardFunction
from mlgym.tools.base import EditorState
from mlgym.types import ExitReason, Score


@dataclass(slots=True)
class Episode:
    """What changes while an episode runs. Times are in seconds."""

    judge: Judge
    scorer: BaselineScorer
    reward: RewardFunction
    editor: EditorState = field(default_factory=EditorState)
    steps: int = 0
    elapsed_s: float = 0.0
    """Inside `step`, gradings not counted."""
    total_reward: float = 0.0
    score: Score | None = None
    exit_reason: ExitReason | None = None
    graded: Score | None = None
    """What the current step's grading came to, the last one if there were two."""
    _best_paid: float = 0.0
    _began: float = 0.0
    _grading_s: float = 0.0

    def begin_step(self) -> None:
        self.graded = None
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

    def step_s(self) -> float:
        """Seconds since the step began, gradings counted."""
        return time.monotonic() - self._began

    def pay(self, tool: str, exit_code: int | None) -> float:
        """The step's reward."""
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
