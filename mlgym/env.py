"""The environment: an episode of machine-learning research behind Gymnasium's interface.

Orchestration only. Actions are carried out by `mlgym.desk`, submissions judged by `mlgym.judge`,
the account is kept by `mlgym.episode`, and commands are isolated by `mlgym.sandbox`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
from gymnasium.error import ResetNeeded

from mlgym import wording
from mlgym.desk import Desk
from mlgym.episode import Episode
from mlgym.errors import ConfigError
from mlgym.judge import Judge
from mlgym.laboratory import Laboratory
from mlgym.reward import BaselineScorer, Reward, make_scorer, reward_function
from mlgym.sandbox.base import Sandbox
from mlgym.snapshot import Snapshot, keep
from mlgym.spaces import Unicode
from mlgym.task.spec import Task, find_task
from mlgym.tools.aids import KeptNotes, Literature, make_aids
from mlgym.tools.registry import tool_specs
from mlgym.types import ExitReason, Score, TaskBrief, ToolSpec, Transition

Info = dict[str, Any]
Step = tuple[str, float, bool, bool, Info]
Status = Literal["scored", "unscored", "infrastructure_failure"]


class MLGymEnv(gym.Env[str, str]):
    """One research task. Texts in, texts out.

    `task` is a task's name in the catalogue, its folder, or the loaded task. `sandbox` is "auto",
    "bubblewrap", "docker" or another backend's name. `data` is "auto" (full where it is prepared,
    else mini), "mini" or "full"; of all `data_seed`s only 0 is comparable between runs. `reward` is
    "improvement", "final", or a function of a `RewardContext`. `max_steps` replaces the task's own
    budget. `render_mode` is None, "ansi" (the last observation as text) or "human" (printed).
    `solution` lays the task's reference solution over the workspace, for the oracle agent. `tools`
    names the tools that actions may call, all where None. `runtime` is docker's OCI runtime, such
    as "runsc". With `branching` also a finished episode can be restored; what it came to is then
    never a score. `memory` is a folder in which notes outlive the episode. `literature` is a
    service's name ("arxiv", "arxiv=URL") or a `Literature`; the tool is off where it is None.
    `pool` spare sandboxes stand ready, so that `reset` need not wait; 0 resets in place.

    Raises:
        ConfigError, TaskError: an unknown name, a bad value, a broken task. Nothing is started yet.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(
        self,
        task: str | Path | Task,
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
        branching: bool = False,
        memory: str | Path | KeptNotes | None = None,
        literature: str | Literature | None = None,
        pool: int = 0,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode is {render_mode!r}, expected 'ansi', 'human' or None")
        if max_steps is not None and max_steps < 1:
            raise ConfigError(f"max_steps is {max_steps}, expected at least 1")
        self.task: Task = task if isinstance(task, Task) else find_task(task)
        self._aids = make_aids(memory, literature, self.task.spec.id)
        self.tools: tuple[ToolSpec, ...] = tool_specs(tools, without=self._aids.missing)
        self.masked: Collection[str] = ()  # tools that may not be called now: see MaskTools
        self.render_mode = render_mode
        self.max_steps = max_steps or self.task.spec.budget.steps
        self.action_space = Unicode(wording.ACTIONS.max_length)
        self.observation_space = Unicode(wording.OBSERVATIONS.max_length)
        self.laboratory = Laboratory(
            self.task, sandbox, data, data_seed, pool, with_solution=solution, runtime=runtime
        )
        self._reward = reward_function(reward)
        self._branching = branching
        self._desk: Desk | None = None

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
    def scorer(self) -> BaselineScorer:
        """What turns the primary metric into a normalized score."""
        return make_scorer(self.task.spec, self.profile)

    @property
    def brief(self) -> TaskBrief:
        """What an agent is told of the task."""
        return self.task.brief(self.profile, self.max_steps)

    @property
    def episode(self) -> Episode:
        """The current episode's account. Raises `ResetNeeded` before the first reset."""
        return self._at_work.episode

    @property
    def started(self) -> bool:
        """Whether there was a reset that succeeded."""
        return self._desk is not None

    @property
    def step_count(self) -> int:
        return self.episode.steps

    @property
    def remaining_steps(self) -> int:
        return max(0, self.max_steps - self.episode.steps)

    @property
    def remaining_s(self) -> float:
        """Seconds left inside `step`, gradings not counted."""
        return self._at_work.remaining_s

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

    @property
    def last_transition(self) -> Transition | None:
        """The last step, or the reset, as it is recorded; None where no reset succeeded."""
        return None if self._desk is None else self._desk.episode.last

    @last_transition.setter
    def last_transition(self, last: Transition) -> None:
        self.episode.last = last

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
        self._desk = None
        judge = Judge(self.task, self.laboratory.open(), self.scorer)
        notes, budget = self._aids.notebook(), self.task.spec.budget
        episode = Episode(judge, self.scorer, self._reward, self._branching, memory=notes)
        self._desk = Desk(episode, self.sandbox, self.tools, budget, self._aids.literature)
        episode.begin_step()
        first = self._close_step(None, self.brief.description, "reset", None, 0.0)
        return first[0], first[4]

    def step(self, action: str) -> Step:
        """Run one action.

        Raises:
            ResetNeeded: no episode runs.
            SandboxError, TaskError: the episode is void; `exit_reason` says so.
        """
        desk = self._running()
        tool, exit_code, text = desk.carry_out(action, self.masked, self.max_steps)
        paid = desk.episode.pay(tool, exit_code)
        return self._close_step(action, text, tool, exit_code, paid)

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
        desk = self._running()
        text = desk.finish(reason)
        return self._close_step(None, text, "finish", None, desk.episode.pay("finish", None))

    def render(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The last observation in mode "ansi"; "human" prints by itself, at every step."""
        if self.render_mode == "human" or self.last_transition is None:
            return None
        return self.last_transition.observation

    def close(self) -> None:
        """Release sandbox, grader and temporary folders. Idempotent."""
        self.laboratory.close()
        super().close()

    # Branching --------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The running episode as it stands: files, shell, editor, account, random state.

        Running processes are no part of it. Release it by `close` or `with`.

        Raises:
            ResetNeeded: no episode runs.
            SandboxError: the sandbox is lost, and the episode void.
        """
        episode = self.episode
        if episode.exit_reason is not None or self.last_transition is None:
            raise ResetNeeded("the episode is over: there is nothing to go on from")
        with episode.voided_by_failures():
            saved = keep(self.sandbox.save())
        origin, state = self.laboratory.origin, self.np_random.bit_generator.state
        return Snapshot(origin, episode.account(), self.last_transition, state, saved)

    def restore(self, snapshot: Snapshot, keep_budget: bool = False) -> None:
        """Go on from a snapshot of this environment's, or of another one of the same task and data.

        With `keep_budget` steps, time, rewards and best validation so far go on counting.

        Raises:
            ResetNeeded: there was no reset, or the episode is over (unless made with `branching`).
            ConfigError: it was taken of another task or other data. ValueError: it was closed.
            SandboxError: the sandbox is lost, and the episode void.
        """
        episode = self.episode
        if episode.exit_reason is not None and not self._branching:
            raise ResetNeeded(f"the episode is over ({episode.exit_reason}): call reset()")
        if snapshot.origin != self.laboratory.origin:
            raise ConfigError(f"{snapshot.origin} is not {self.laboratory.origin}: it cannot fit")
        with episode.voided_by_failures():
            self.sandbox.load(snapshot.saved())
        episode.go_on_from(snapshot.account, keep_budget=keep_budget)
        self.np_random.bit_generator.state = snapshot.random_state
        self.last_transition = snapshot.last

    # Inside -----------------------------------------------------------------------------------

    @property
    def _at_work(self) -> Desk:
        if self._desk is None:
            raise ResetNeeded("call reset() first")
        return self._desk

    def _running(self) -> Desk:
        desk = self._at_work
        episode = desk.episode
        if episode.exit_reason is not None or self.laboratory.sandbox is None:
            raise ResetNeeded(f"the episode is over ({episode.exit_reason or 'closed'}): reset()")
        episode.begin_step()
        return desk

    def _close_step(
        self, action: str | None, text: str, tool: str, exit_code: int | None, paid: float
    ) -> Step:
        """Everything a step returns, and its record."""
        episode = self.episode
        text = wording.bounded(text)
        info = episode.info(tool, exit_code, max(0, self.max_steps - episode.steps))
        over = episode.record(action, text, paid, tool, exit_code)
        if self.render_mode == "human":
            print(f"[{episode.steps}] {action or tool}\n{text}")
        return text, paid, *over, info
