"""The environment: an episode of machine-learning research behind Gymnasium's interface.

Orchestration only. Actions are read and run by `mlgym.tools`, submissions judged by `mlgym.judge`,
the account kept by `mlgym.episode`, commands isolated by `mlgym.sandbox`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
from gymnasium.error import ResetNeeded

from mlgym import wording
from mlgym.episode import Episode
from mlgym.errors import ConfigError, SandboxError, SubmissionError, TaskError
from mlgym.judge import Judge
from mlgym.laboratory import Laboratory
from mlgym.reward import BaselineScorer, Reward, make_scorer, reward_function
from mlgym.sandbox.base import Limits, Sandbox
from mlgym.spaces import Unicode
from mlgym.task.spec import Task, find_task
from mlgym.tools.base import ActionError, EditorState
from mlgym.tools.registry import parse_action, run_call, tool_specs
from mlgym.types import BriefLimits, ExitReason, Score, TaskBrief, ToolResult, ToolSpec, Transition

Info = dict[str, Any]
Step = tuple[str, float, bool, bool, Info]
Status = Literal["scored", "unscored", "infrastructure_failure"]


class MLGymEnv(gym.Env[str, str]):
    """One research task. Texts in, texts out.

    `task` is a task's name in the catalogue, or a task's folder. `sandbox` is "auto", "bubblewrap",
    "docker" or another backend's name. `data` is "auto" (full where it is prepared, else mini),
    "mini" or "full"; of all `data_seed`s only 0 is comparable between runs. `reward` is
    "improvement", "final", or a function of a `RewardContext`. `max_steps` replaces the task's own
    budget. `render_mode` is None, "ansi" (the last observation as text) or "human" (printed).
    `solution` lays the task's reference solution over the workspace, for the oracle agent. `tools`
    names the tools that actions may call, all where None. `runtime` is docker's OCI runtime, such
    as "runsc".

    Raises:
        ConfigError, TaskError: an unknown name, a bad value, a broken task. Nothing is started yet.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(
        self,
        task: str | Path,
        *,
        sandbox: str = "auto",
        data: str = "auto",
        data_seed: int = 0,
        reward: Reward = "improvement",
        max_steps: int | None = None,
        render_mode: str | None = None,
        solution: bool = False,
        tools: Sequence[str] | None = None,
        runtime: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode is {render_mode!r}, expected 'ansi', 'human' or None")
        if max_steps is not None and max_steps < 1:
            raise ConfigError(f"max_steps is {max_steps}, expected at least 1")
        self.task: Task = find_task(task)
        self.tools: tuple[ToolSpec, ...] = tool_specs(tools)
        self.render_mode = render_mode
        self.max_steps = max_steps or self.task.spec.budget.steps
        self.action_space = Unicode(wording.ACTION_LENGTH)
        self.observation_space = Unicode(wording.OBSERVATION_LENGTH)
        self.laboratory = Laboratory(
            self.task, sandbox, data, data_seed, with_solution=solution, runtime=runtime
        )
        self.last_transition: Transition | None = None
        self._reward = reward_function(reward)
        self._episode: Episode | None = None

    # What an episode is -----------------------------------------------------------------------

    @property
    def profile(self) -> str:
        """The data profile that this environment was resolved to."""
        return self.laboratory.profile

    @property
    def sandbox_name(self) -> str:
        return self.laboratory.backend_name

    @property
    def sandbox(self) -> Sandbox:
        """The agent's sandbox. Raises `ResetNeeded` before the first reset."""
        if self.laboratory.sandbox is None:
            raise ResetNeeded("call reset() first")
        return self.laboratory.sandbox

    @property
    def limits_in_force(self) -> Limits:
        return self.sandbox.limits_in_force

    @property
    def scorer(self) -> BaselineScorer:
        """What turns the primary metric into a normalized score."""
        return make_scorer(self.task.spec, self.profile)

    @property
    def brief(self) -> TaskBrief:
        """What an agent is told of the task."""
        spec = self.task.spec
        return TaskBrief(
            task=spec.id,
            title=spec.title,
            description=self.task.brief_text(self.profile),
            metric=spec.primary.name,
            goal=spec.primary.goal,
            baseline=self.baseline_metrics[spec.primary.name],
            limits=BriefLimits(self.max_steps, spec.budget.wall_s, spec.budget.command_s),
        )

    @property
    def baseline_metrics(self) -> dict[str, float]:
        return dict(self.task.spec.profile(self.profile).baseline)

    @property
    def episode(self) -> Episode:
        """The current episode's account. Raises `ResetNeeded` before the first reset."""
        if self._episode is None:
            raise ResetNeeded("call reset() first")
        return self._episode

    @property
    def started(self) -> bool:
        """Whether there was a reset that succeeded."""
        return self._episode is not None

    @property
    def editor(self) -> EditorState:
        return self.episode.editor

    @property
    def step_count(self) -> int:
        return self.episode.steps

    @property
    def remaining_steps(self) -> int:
        return max(0, self.max_steps - self.episode.steps)

    @property
    def remaining_s(self) -> float:
        """Seconds left inside `step`, gradings not counted."""
        return max(0.0, self.task.spec.budget.wall_s - self.episode.elapsed_s)

    @property
    def command_s(self) -> float:
        """How long a command may run now, in seconds."""
        return max(0.05, min(self.task.spec.budget.command_s, self.remaining_s))

    @property
    def score(self) -> Score | None:
        return self.episode.score

    @property
    def exit_reason(self) -> ExitReason | None:
        return self.episode.exit_reason

    @property
    def best_validation(self) -> Score | None:
        return self.episode.judge.best

    @property
    def status(self) -> Status:
        """What became of the episode; "unscored" also while it runs."""
        if self.exit_reason is not None and self.exit_reason.is_infrastructure:
            return "infrastructure_failure"
        return "unscored" if self.score is None else "scored"

    # Gymnasium's interface --------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        """A fresh workspace, and the task's brief as the observation. `options` are not used.

        Raises:
            ConfigError: the `full` data was asked for and has not been prepared.
            SandboxError: no sandbox can be had, or its image is missing.
            TaskError: the task's data script is broken.
        """
        super().reset(seed=seed, options=options)
        self._episode = None
        grader = self.laboratory.open()
        scorer = self.scorer
        self._episode = Episode(Judge(self.task, grader, scorer), scorer, self._reward)
        self._episode.begin_step()
        observation, _, _, _, info = self._close_step(
            None, self.brief.description, "reset", None, 0.0
        )
        return observation, info

    def step(self, action: str) -> Step:
        """Run one action.

        Raises:
            ResetNeeded: no episode runs.
            SandboxError, TaskError: the episode is void; `exit_reason` says so.
        """
        episode = self._running()
        with self._voided_by_failures(episode):
            tool, result = self._act(action)
            episode.end_work()
            text = result.text
            if episode.exit_reason is None and self.remaining_steps == 0:
                text += self._end(ExitReason.MAX_STEPS)
            elif episode.exit_reason is None and self.remaining_s <= 0:
                text += self._end(ExitReason.WALL_TIME)
        paid = episode.pay(tool, result.exit_code)
        return self._close_step(action, text, tool, result.exit_code, paid)

    def finish(self, reason: ExitReason | str) -> Step:
        """End the episode from outside (a cost limit, an interrupt) and score it by the rule.

        Raises:
            ResetNeeded: no episode runs.
            ValueError: `reason` is unknown, or one that only an action can give.
            SandboxError, TaskError: the episode is void; `exit_reason` says so.
        """
        reason = ExitReason(reason)
        if reason in (ExitReason.SUBMITTED, ExitReason.FORFEITED):
            raise ValueError(f"{reason} is for an action of the agent's to give")
        episode = self._running()
        with self._voided_by_failures(episode):
            episode.end_work()
            text = self._end(reason)
        return self._close_step(None, text, "finish", None, episode.pay("finish", None))

    def render(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The last observation in mode "ansi"; "human" prints by itself, at every step."""
        if self.render_mode == "human" or self.last_transition is None:
            return None
        return self.last_transition.observation

    def close(self) -> None:
        """Release sandbox, grader and temporary folders. Idempotent."""
        self.laboratory.close()
        super().close()

    def export_workspace(self, max_bytes: int) -> Iterator[bytes]:
        """The regular files of the workspace, data not among them, as a tar stream.

        Raises OSError where they are more than `max_bytes`, SandboxError where the sandbox is lost.
        """
        find = ["find", ".", "-path", "./data", "-prune", "-o", "-type", "f", "-printf", "%P\\0"]
        channel = self.sandbox.open(["sh", "-c", 'cd /workspace && exec "$@"', "sh", *find])
        names = b""
        while piece := channel.recv(60.0):
            names += piece
        paths = sorted(name.decode("utf-8", "surrogateescape") for name in names.split(b"\0")[:-1])
        return self.sandbox.export(paths, max_bytes)

    # What tools may call (see `ToolContext`) --------------------------------------------------

    def validate(self) -> ToolResult:
        episode = self.episode
        try:
            with episode.grading():
                score = episode.judge.validate(self.sandbox)
        except SubmissionError as error:
            return ToolResult(f"The submission cannot be graded: {error}\n")
        episode.graded = score
        best = episode.judge.best or score
        text = wording.validation(score, best, self.baseline_metrics[score.primary])
        return ToolResult(text, metrics=score.metrics)

    def submit(self) -> ToolResult:
        return ToolResult(self._end(ExitReason.SUBMITTED))

    def forfeit(self) -> ToolResult:
        return ToolResult(self._end(ExitReason.FORFEITED))

    # Inside -----------------------------------------------------------------------------------

    def _running(self) -> Episode:
        episode = self.episode
        if episode.exit_reason is not None:
            raise ResetNeeded(f"the episode is over ({episode.exit_reason}): call reset()")
        episode.begin_step()
        return episode

    @contextmanager
    def _voided_by_failures(self, episode: Episode) -> Generator[None, None, None]:
        """Marks the episode where infrastructure or task fail, and lets the error out."""
        try:
            yield
        except SandboxError:
            episode.exit_reason, episode.score = ExitReason.SANDBOX_ERROR, None
            raise
        except TaskError:
            episode.exit_reason, episode.score = ExitReason.TASK_ERROR, None
            raise

    def _act(self, action: str) -> tuple[str, ToolResult]:
        if not self.action_space.contains(action):
            return "bash", ToolResult(wording.refused_action(action))
        try:
            call = parse_action(action)
        except ActionError as error:
            return "bash", ToolResult(f"{error}\n")
        if call.name not in [spec.name for spec in self.tools]:
            return call.name, ToolResult(f"The tool {call.name} is not available here.\n")
        return call.name, run_call(call, self)

    def _end(self, reason: ExitReason) -> str:
        """Judge the episode; what to tell of it."""
        episode = self.episode
        with episode.grading():
            judged = episode.judge.conclude(reason, self.sandbox)
        episode.exit_reason, episode.score, episode.graded = reason, judged.score, judged.score
        return wording.ending(reason, judged)

    def _close_step(
        self, action: str | None, text: str, tool: str, exit_code: int | None, paid: float
    ) -> Step:
        """Everything a step returns, and the transition that records it."""
        episode = self.episode
        terminated = episode.exit_reason in (ExitReason.SUBMITTED, ExitReason.FORFEITED)
        truncated = episode.exit_reason is not None and not terminated
        text = wording.bounded(text)
        info: Info = {
            "step": episode.steps,
            "remaining_steps": self.remaining_steps,
            "tool": tool,
        }
        if exit_code is not None:
            info["exit_code"] = exit_code
        if episode.graded is not None:
            info["metrics"] = dict(episode.graded.metrics)
        if episode.judge.best is not None:
            info["best_metrics"] = dict(episode.judge.best.metrics)
        if episode.exit_reason is not None:
            info["exit_reason"] = str(episode.exit_reason)
        if episode.score is not None:
            info["score"] = episode.score.normalized
        self.last_transition = Transition(
            step=episode.steps,
            parent=episode.steps - 1 if episode.steps else None,
            thought="",
            action=action,
            observation=text,
            reward=paid,
            terminated=terminated,
            truncated=truncated,
            tool=tool,
            exit_code=exit_code,
            metrics=info.get("metrics"),
            duration_s=episode.step_s(),
            time=time.time(),
        )
        if self.render_mode == "human":
            print(f"[{episode.steps}] {action or tool}\n{text}")
        return text, paid, terminated, truncated, info
