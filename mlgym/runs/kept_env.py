"""An environment that keeps checkpoints, and that comes back to where a run was broken off.

What was recorded up to the checkpoint is answered from the record, what came after is run again.
Then it is the environment itself. The episode loop and the agent know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gymnasium as gym

from mlgym.env import Info, MLGymEnv, Step
from mlgym.errors import ConfigError, MLGymError
from mlgym.judge import Best
from mlgym.runs.checkpoint import write_checkpoint
from mlgym.snapshot import Snapshot
from mlgym.trajectory import Difference, compare_steps
from mlgym.types import Image, Score, Transition

_SECONDS_BETWEEN = 600.0
"""Of the agent's own time: what is lost of it at most, and done again."""


class DiffersError(MLGymError):
    """What was run again gave something else than what was recorded. CLI exit code 1."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a run that was broken off: its lines, and its newest checkpoint."""

    recorded: Sequence[Transition] = ()
    checkpoint: Snapshot | None = None

    @property
    def checked(self) -> int:
        """The step of the checkpoint, 0 where there is none. It may be one beyond the lines."""
        return self.checkpoint.account.steps if self.checkpoint else 0

    @property
    def steps(self) -> int:
        return max(len(self.recorded) - 1, self.checked)


class KeptEnv(gym.Wrapper[str, str, str, str]):
    """`env`, its checkpoints kept in `folder`: after each validation, and every ten minutes.

    `tell` gets a line where a checkpoint cannot be written, which ends no run. `on_difference` gets
    what a step that was run again gave otherwise; with `strict` it is an error instead. `images`
    finds what an agent looked at, by its name in the record.
    """

    def __init__(
        self,
        env: MLGymEnv,
        folder: Path,
        tell: Callable[[str], None],
        past: Past | None = None,
        on_difference: Callable[[Difference], None] = lambda _: None,
        images: Callable[[str], Image | None] = lambda _: None,
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(cast("gym.Env[str, str]", env))
        self._inner = env
        self._folder = folder
        self._tell = tell
        self._past = past or Past()
        self._on_difference = on_difference
        self._images = images
        self._strict = strict
        self._unkept_s = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, Info]:
        self._unkept_s = 0.0
        return self._inner.reset(seed=seed, options=options)

    def step(self, action: str) -> Step:
        """See `MLGymEnv.step`.

        Raises:
            ConfigError: the agent decides otherwise than it did.
            DiffersError: the episode cannot go on as it did, or `strict` is asked for.
        """
        past, number = self._past, self._inner.step_count + 1
        if number <= past.steps:
            known = number < len(past.recorded)
            expected = past.recorded[number] if known else _last(past)
            _check(expected, number, action)
            if number < past.checked:
                return self._present(expected)
            if past.checkpoint is not None and number == past.checked:
                self._inner.restore(past.checkpoint)
                past.checkpoint.close()
                return _told(past.checkpoint.last)
            return self._again(expected, action)
        step = self._inner.step(action)
        self._keep_if_due()
        return step

    def _present(self, recorded: Transition) -> Step:
        """Be where the record was, as far as an agent can see it."""
        inner, episode = self._inner, self._inner.episode
        inner.last_transition = recorded
        episode.steps = recorded.step
        episode.elapsed_s += recorded.duration_s
        episode.image = self._images(recorded.image) if recorded.image else None
        metrics, best = recorded.metrics, episode.judge.best
        primary = inner.task.spec.primary.name
        if metrics is not None and primary in metrics:
            normalized = inner.scorer.normalized(metrics[primary])
            if best is None or normalized >= best.normalized:
                score = Score(metrics, primary, normalized, "validation", "submitted")
                episode.judge.kept = Best(score, {})
        return _told(recorded)

    def _again(self, recorded: Transition, action: str) -> Step:
        """Run an action once more; what comes of it is the record's, and the difference told."""
        step = self._inner.step(action)
        found = self._inner.last_transition
        if found is None:
            return step
        over = (recorded.terminated, recorded.truncated)
        unlike = list(compare_steps(self._inner, recorded, found))
        if unlike and (self._strict or over != (found.terminated, found.truncated)):
            first = unlike[0]
            raise DiffersError(
                f"step {first.step}: {first.field}: recorded {first.recorded!r:.200}, found"
                f" {first.found!r:.200}"
            )
        for each in unlike:
            self._on_difference(each)
        self._inner.last_transition = recorded
        self._keep_if_due()
        return step

    def _keep_if_due(self) -> None:
        last = self._inner.last_transition
        if self._inner.exit_reason is not None or last is None:
            return
        self._unkept_s += last.duration_s
        if last.metrics is None and self._unkept_s < _SECONDS_BETWEEN:
            return
        try:
            with self._inner.snapshot() as snapshot:
                write_checkpoint(self._folder, snapshot)
        except OSError as error:
            self._tell(f"no checkpoint of step {last.step}: {error}")
        self._unkept_s = 0.0


def _last(past: Past) -> Transition:
    """The step whose checkpoint was kept, and whose line was not."""
    if past.checkpoint is None:
        raise IndexError("there is no checkpoint beyond the lines")
    return past.checkpoint.last


def _check(expected: Transition, number: int, action: str) -> None:
    if expected.action != action:
        raise ConfigError(
            f"step {number}: found the action {action!r:.200}, expected {expected.action!r:.200}:"
            " the agent decides otherwise than it did, and cannot be resumed"
        )


def _told(transition: Transition) -> Step:
    told = transition
    return told.observation, told.reward, told.terminated, told.truncated, {"step": told.step}
