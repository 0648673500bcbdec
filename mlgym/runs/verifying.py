"""Whether a recorded score comes out again when its run's actions are played again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.types import ExitReason


@dataclass(frozen=True, slots=True)
class Verified:
    """The test metrics as recorded and as they came out now; None where there is no score."""

    recorded: Mapping[str, float] | None
    found: Mapping[str, float] | None
    differing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differing

    def to_json(self) -> dict[str, Any]:
        return {
            "recorded": None if self.recorded is None else dict(self.recorded),
            "found": None if self.found is None else dict(self.found),
            "differing": list(self.differing),
            "holds": self.holds,
        }


def ending(record: Mapping[str, Any]) -> ExitReason | None:
    """Why the environment ended the run from outside; None where an action did.

    Raises:
        ConfigError: there is no score that could be verified: the run has not ended, or is void.
    """
    reason = record.get("exit_reason")
    if record.get("status") not in ("scored", "unscored") or reason is None:
        raise ConfigError(
            f"{record.get('run_id')}: found the status {record.get('status')!r} and the exit reason"
            f" {reason!r}, expected a run that ended, scored or unscored"
        )
    found = ExitReason(reason)
    return None if found in (ExitReason.SUBMITTED, ExitReason.FORFEITED) else found


def verify(env: MLGymEnv, record: Mapping[str, Any]) -> Verified:
    """Compare the score of `env`, in which the run was played again, with the recorded one.

    Values agree within their metric's tolerance. An episode that still runs is ended first, as the
    recorded one was.

    Raises:
        ConfigError: as `ending`. SandboxError, TaskError: as `MLGymEnv.finish`.
    """
    if env.exit_reason is None:
        env.finish(ending(record) or ExitReason.INTERRUPTED)
    score = record.get("score")
    metrics = cast("Mapping[str, Any]", score).get("metrics") if isinstance(score, dict) else None
    recorded = cast("Mapping[str, float] | None", metrics)
    found = None if env.score is None else env.score.metrics
    return Verified(recorded, found, tuple(_differing(env, recorded, found)))


def _differing(
    env: MLGymEnv, recorded: Mapping[str, float] | None, found: Mapping[str, float] | None
) -> Iterator[str]:
    metrics = {metric.name: metric for metric in env.task.spec.metrics}
    before, now = recorded or {}, found or {}
    yield from sorted(before.keys() ^ now.keys())
    for name in sorted(before.keys() & now.keys() & metrics.keys()):
        if not metrics[name].agree(before[name], now[name]):
            yield name
