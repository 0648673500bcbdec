"""Trajectories on disk: one transition a line, whole lines only, readable after any crash."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.types import ExitReason, Transition, Usage


def to_line(transition: Transition) -> str:
    """The transition as a line of JSON, newline included. Lone surrogates and NaN survive."""
    fields = asdict(transition)
    fields["usage"] = transition.usage.to_json() if transition.usage else None
    return json.dumps(_finite(fields)) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no infinities and no NaN: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


class TrajectoryWriter:
    """Appends transitions to a file, each flushed as it comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, transition: Transition) -> None:
        """Append one line. Raises ValueError outside of `with`."""
        if self._file is None:
            raise ValueError("the trajectory is not open")
        self._file.write(to_line(transition))
        self._file.flush()


def read_trajectory(path: Path) -> list[Transition]:
    """The transitions in a file, up to its last whole line.

    Raises:
        ConfigError: the file cannot be read, or a line before the last is no transition.
    """
    try:
        # Only "\n" ends a line: JSON leaves other separators inside of strings.
        *whole, torn = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    del torn
    return list(_parsed(path, whole))


def _parsed(path: Path, lines: Iterable[str]) -> Iterator[Transition]:
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            usage = fields.pop("usage", None)
            yield Transition(**fields, usage=Usage(**usage) if usage else None)
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path}: line {number} is no transition: {error}") from None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a replayed step gave that is not what was recorded."""

    step: int
    field: str
    recorded: object
    found: object


def replay(
    env: MLGymEnv, transitions: Iterable[Transition], seed: int | None = None
) -> Iterator[tuple[Transition, list[Difference]]]:
    """Run recorded actions again: each new transition, with its differences to the record.

    Metrics are compared within their tolerance. Ends early where the episode does.

    Raises:
        SandboxError, TaskError: as `MLGymEnv.step`.
    """
    env.reset(seed=seed)
    for recorded in transitions:
        if recorded.step > 0:
            if env.exit_reason is not None:
                return
            if recorded.action is not None:
                env.step(recorded.action)
            else:
                env.finish(ExitReason.INTERRUPTED)
        found = env.last_transition
        if found is not None:
            yield found, list(_differences(env, recorded, found))


def _differences(env: MLGymEnv, recorded: Transition, found: Transition) -> Iterator[Difference]:
    for field in ("observation", "exit_code", "terminated", "truncated", "tool"):
        before, now = getattr(recorded, field), getattr(found, field)
        if before != now and not (field == "observation" and recorded.action is None):
            yield Difference(recorded.step, field, before, now)
    tolerances = {metric.name: metric for metric in env.task.spec.metrics}
    before, now = dict(recorded.metrics or {}), dict(found.metrics or {})
    for name in sorted({*before, *now}):
        metric = tolerances.get(name)
        if (
            name not in before
            or name not in now
            or (metric is not None and not metric.agree(float(before[name]), float(now[name])))
        ):
            yield Difference(recorded.step, name, before.get(name), now.get(name))
