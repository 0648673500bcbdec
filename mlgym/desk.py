"""Where one episode's actions are carried out: what tools may call, and how the episode ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mlgym import wording
from mlgym.episode import Episode
from mlgym.errors import SandboxError, SubmissionError, TaskError
from mlgym.sandbox.base import Sandbox
from mlgym.task.schema import BudgetSpec
from mlgym.tools import literature
from mlgym.tools.base import ActionError, EditorState
from mlgym.tools.literature import Literature, LiteratureError
from mlgym.tools.notes import Notebook
from mlgym.tools.registry import parse_action, run_call
from mlgym.types import ExitReason, ToolResult, ToolSpec


class Desk:
    """See `mlgym.tools.base.ToolContext`, which it is."""

    def __init__(
        self,
        episode: Episode,
        sandbox: Sandbox,
        tools: Sequence[ToolSpec],
        budget: BudgetSpec,
        service: Literature | None = None,
    ) -> None:
        self.episode = episode
        self.sandbox = sandbox
        self._tools = {spec.name for spec in tools}
        self._budget = budget
        self._service = service

    @property
    def editor(self) -> EditorState:
        return self.episode.editor

    @property
    def memory(self) -> Notebook:
        return self.episode.memory

    @property
    def remaining_s(self) -> float:
        """Seconds left inside `step`, gradings not counted."""
        return max(0.0, self._budget.wall_s - self.episode.elapsed_s)

    @property
    def command_s(self) -> float:
        """How long a command may run now, in seconds."""
        left = self._budget.wall_s - self.episode.elapsed_s
        return max(0.05, min(self._budget.command_s, left))

    def carry_out(
        self, action: object, masked: Collection[str], max_steps: int
    ) -> tuple[str, int | None, str]:
        """Do a whole step: the tool's name, its exit code, and what to tell.

        Raises SandboxError, TaskError: the episode is void.
        """
        episode = self.episode
        # Every step comes here: `voided_by_failures`, a generator, would cost it a microsecond.
        try:
            tool, result = self.act(action, masked)
            episode.end_work()
            return tool, result.exit_code, result.text + self.end_where_spent(max_steps)
        except (SandboxError, TaskError) as error:
            episode.void(error)
            raise

    def finish(self, reason: ExitReason) -> str:
        """End the episode from outside, as a step of its own. Raises as `carry_out`."""
        with self.episode.voided_by_failures():
            self.episode.end_work()
            return self.end(reason)

    def act(self, action: object, masked: Collection[str]) -> tuple[str, ToolResult]:
        """Carry out one action: the tool's name and what it answered."""
        if not isinstance(action, str) or not wording.ACTIONS.contains(action):
            return "bash", ToolResult(wording.refused_action(action))
        try:
            call = parse_action(action)
        except ActionError as error:
            return "bash", ToolResult(f"{error}\n")
        off = call.name == literature.NAME and self._service is None
        if call.name not in self._tools and not off:
            return call.name, ToolResult(f"The tool {call.name} is not available here.\n")
        if call.name in masked:
            return call.name, ToolResult(wording.masked(call.name, self._tools.difference(masked)))
        result = run_call(call, self)
        self.episode.image = result.image
        return call.name, result

    def literature(self, query: str, limit: int) -> str:
        if self._service is None:
            raise LiteratureError(literature.OFF)
        # A slow service is not the agent's time.
        with self.episode.grading():
            return self._service.search(query, limit)

    def validate(self) -> ToolResult:
        episode = self.episode
        try:
            with episode.grading():
                score = episode.judge.validate(self.sandbox)
        except SubmissionError as error:
            return ToolResult(f"The submission cannot be graded: {error}\n")
        episode.graded = score
        best = episode.judge.best or score
        text = wording.validation(score, best, episode.scorer.baseline)
        return ToolResult(text, metrics=score.metrics)

    def submit(self) -> ToolResult:
        return ToolResult(self.end(ExitReason.SUBMITTED))

    def forfeit(self) -> ToolResult:
        return ToolResult(self.end(ExitReason.FORFEITED))

    def end_where_spent(self, max_steps: int) -> str:
        """Judge the episode where its budget is used up; what to tell of it, else nothing."""
        episode = self.episode
        if episode.exit_reason is not None:
            return ""
        if episode.steps >= max_steps:
            return self.end(ExitReason.MAX_STEPS)
        spent = episode.elapsed_s >= self._budget.wall_s
        return self.end(ExitReason.WALL_TIME) if spent else ""

    def end(self, reason: ExitReason) -> str:
        """Judge the episode; what to tell of it."""
        episode = self.episode
        with episode.grading():
            judged = episode.judge.conclude(reason, self.sandbox)
        episode.conclude(reason, judged.score)
        return wording.ending(reason, judged)
