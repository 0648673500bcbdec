"""One environment of a vector: its work, which may be suspended, and what that came to.

A failure of the infrastructure ends this environment's episode and nobody else's: it is told as the
episode's end, and the next reset replaces what was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlgym.env import Info, MLGymEnv
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.tools.base import ActionError
from mlgym.tools.registry import parse_action
from mlgym.types import ExitReason
from mlgym.vector.batching import batched
from mlgym.vector.curriculum import Ended, Pick, Sampler

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
FAILURE = "infrastructure_failure"
"""The key of an info whose episode is void: drop it. Its value says what failed."""


class Outcome(NamedTuple):
    """What a step or a reset of one environment came to.

    `final` is, in the mode same-step, the observation and info that the episode before ended with.
    """

    observation: str
    reward: float
    terminated: bool
    truncated: bool
    info: Info
    final: tuple[str, Info] | None = None


_NOTHING = Outcome("", 0.0, False, False, {})


class Seat:
    """`make` gives an environment of a task, of which nothing is started.

    `tasks` are the names it may be asked for; without a sampler the first one is played for ever.
    """

    def __init__(
        self,
        number: int,
        make: Callable[[str], MLGymEnv],
        tasks: tuple[str, ...],
        sampler: Sampler | None,
    ) -> None:
        self.number = number
        self._make = make
        self._tasks = tasks
        self._sampler = sampler
        self._rng = np.random.default_rng()
        self._episodes = 0
        self._stillborn: SandboxError | TaskError | None = None
        self.task = tasks[0]
        self.env = make(self.task)
        self.busy = False
        """Whether its work has begun and not ended."""
        self.outcome: Outcome | None = None
        """What its last work came to, until that is handed out."""
        self.error: Exception | None = None
        """What its last work raised instead, until that is handed out."""
        self.observation: str | None = None
        """The last one; None before the first reset."""
        self.ended = False
        """Whether its last step ended an episode, and there was no reset since."""

    @property
    def answered(self) -> bool:
        """Whether its last work has ended and was not handed out."""
        return self.outcome is not None or self.error is not None

    def work(self, job: Callable[..., Outcome], *args: Any) -> None:
        """Do a step or a reset, and keep what it comes to."""
        self.busy = True
        try:
            self.outcome = job(*args)
        except Exception as error:  # noqa: BLE001 - kept for the caller, whose other environments go on
            self.error = error
        finally:
            self.busy = False

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Outcome:
        """Begin an episode, of the task that the sampler picks. Raises like `MLGymEnv.reset`."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        if self._sampler is not None:
            self._change_to(self._picked(self._sampler))
        self._episodes += 1
        self.ended, self._stillborn = False, None
        observation, info = self.env.reset(seed=seed, options=options)
        return self._seen(Outcome(observation, 0.0, False, False, self._told(info)))

    def step(self, action: str, mode: AutoresetMode) -> Outcome:
        """Gymnasium's step of one environment of a vector in this mode."""
        if mode is AutoresetMode.NEXT_STEP and self.ended:
            return self.begin_anew()
        outcome = self._step(action)
        self.ended = outcome.terminated or outcome.truncated
        if not (self.ended and mode is AutoresetMode.SAME_STEP):
            return self._seen(outcome)
        fresh = self.begin_anew()
        final = outcome.observation, outcome.info
        return Outcome(
            fresh.observation,
            outcome.reward,
            outcome.terminated,
            outcome.truncated,
            fresh.info,
            final,
        )

    def _step(self, action: str) -> Outcome:
        if self._stillborn is not None:
            return self._void(self._stillborn, "reset")
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
        except (SandboxError, TaskError) as error:
            return self._void(error, tool_of(action))
        return Outcome(observation, reward, terminated, truncated, self._told(info))

    def begin_anew(self, seed: int | None = None) -> Outcome:
        """A reset that nobody waits for alone, and that must not end everybody's work."""
        try:
            try:
                return self.reset(seed)
            except SandboxError:
                # What was left of the old sandbox is gone now: this is a start from nothing.
                return self.reset(seed)
        except (SandboxError, TaskError) as error:
            void = self._void(error, "reset")
            self._stillborn = error
            return self._seen(Outcome(void.observation, 0.0, False, False, void.info))

    def _void(self, error: SandboxError | TaskError, tool: str) -> Outcome:
        infrastructure = isinstance(error, SandboxError)
        reason = ExitReason.SANDBOX_ERROR if infrastructure else ExitReason.TASK_ERROR
        steps = self.env.step_count if self.env.started else 0
        info = {
            "step": steps,
            "remaining_steps": self.env.max_steps - steps,
            "tool": tool,
            "exit_reason": str(reason),
            FAILURE: str(error),
        }
        return Outcome(void_text(error), 0.0, False, True, self._told(info))

    def _told(self, info: Info) -> Info:
        return info if self._sampler is None else {**info, "task": self.task}

    def _seen(self, outcome: Outcome) -> Outcome:
        self.observation = outcome.observation
        return outcome

    def _picked(self, sampler: Sampler) -> str:
        task = sampler(Pick(self._tasks, self.number, self._episodes, self._last(), self._rng))
        if task not in self._tasks:
            raise ConfigError(f"sampler: found {task!r}, expected one of {', '.join(self._tasks)}")
        return task

    def _last(self) -> Ended | None:
        if not self.env.started:
            return None
        score = self.env.score
        return Ended(
            self.task,
            self.env.episode.total_reward,
            None if score is None else score.normalized,
            self.env.exit_reason,
        )

    def _change_to(self, task: str) -> None:
        if task != self.task:
            self.env.close()
            self.task, self.env = task, self._make(task)


def columns(outcomes: Sequence[Outcome | None]) -> tuple[Floats, Flags, Flags, Info]:
    """Rewards, terminations, truncations and infos as Gymnasium has them; None is nothing."""
    made = [outcome or _NOTHING for outcome in outcomes]
    infos = [
        outcome.info
        if outcome.final is None
        else {"final_obs": outcome.final[0], "final_info": outcome.final[1], **outcome.info}
        for outcome in made
    ]
    return (
        np.array([outcome.reward for outcome in made], dtype=np.float64),
        np.array([outcome.terminated for outcome in made], dtype=np.bool_),
        np.array([outcome.truncated for outcome in made], dtype=np.bool_),
        batched(infos),
    )


def void_text(why: object) -> str:
    """The observation that tells of a void episode."""
    return f"The episode is void, an infrastructure failure: {why}\n"


def tool_of(action: object) -> str:
    """The tool that the action calls, or would call if it were one."""
    try:
        return parse_action(action).name if isinstance(action, str) else "bash"
    except ActionError:
        return "bash"
