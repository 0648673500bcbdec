"""Trajectories on disk: one transition a line, whole lines only, readable after any crash."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from mlgym.errors import ConfigError
from mlgym.types import ExitReason, Transition, Usage

if TYPE_CHECKING:  # who only reads runs needs no environment
    from mlgym.env import MLGymEnv
    from mlgym.snapshot import Snapshot

_TEXTS = ("thought", "observation", "tool")
IMAGE = re.compile(r"images/[0-9a-f]{64}\.[a-z]{3,4}")


def to_line(transition: Transition) -> str:
    """The transition as a line of JSON, newline included.

    Everything is ASCII, so that lone surrogates survive; JSON has no infinities and no NaN, so
    they become the texts "inf", "-inf" and "nan", which `read_trajectory` reads back.
    """
    line = {field.name: getattr(transition, field.name) for field in fields(Transition)}
    line["usage"] = transition.usage.to_json() if transition.usage else None
    line["reward"] = _number(transition.reward)
    if transition.metrics is not None:
        line["metrics"] = {name: _number(value) for name, value in transition.metrics.items()}
    if transition.image is None:
        del line["image"]
    return json.dumps(line, allow_nan=False) + "\n"


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


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
            # `write` has flushed, or has told that it could not: there is nothing new to tell.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def write(self, transition: Transition) -> None:
        """Append one line. Raises ValueError outside of `with`."""
        if self._file is None:
            raise ValueError("the trajectory is not open")
        self._file.write(to_line(transition))
        self._file.flush()


def read_trajectory(
    path: Path, on_torn: Callable[[str], None] = lambda _: None
) -> list[Transition]:
    """The transitions in a file, up to its last whole line.

    `on_torn` is told in a sentence where the file ends in a part of a line, as it does where the
    writer was killed.

    Raises:
        ConfigError: the file cannot be read, or holds a whole line that is no transition.
    """
    try:
        # Only "\n" ends a line: JSON leaves other separators inside of strings.
        *whole, last = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    transitions = [_parsed(path, number, line) for number, line in enumerate(whole, 1)]
    if last:
        try:
            transitions.append(_parsed(path, len(whole) + 1, last))
        except ConfigError:
            on_torn(f"{path}: line {len(whole) + 1} is torn: left out")
    return transitions


def _parsed(path: Path, number: int, line: bytes) -> Transition:
    try:
        found = json.loads(line)
        usage = found.pop("usage", None)
        reward, metrics = found.pop("reward"), found.pop("metrics", None)
        transition = Transition(
            **found,
            reward=float(reward),
            metrics=None if metrics is None else {k: float(v) for k, v in metrics.items()},
            usage=Usage(**usage) if usage else None,
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path}: line {number} is no transition: {error}") from None
    except KeyError as error:
        raise ConfigError(f"{path}: line {number} is no transition: it has no {error}") from None
    texts: dict[str, object] = {name: getattr(transition, name) for name in _TEXTS}
    if transition.action is not None:
        texts["action"] = transition.action
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ConfigError(
                f"{path}: line {number} is no transition: {name}: found {value!r:.100},"
                " expected text"
            )
    # Readers will open what it names.
    if transition.image is not None and not IMAGE.fullmatch(str(transition.image)):
        raise ConfigError(
            f"{path}: line {number} is no transition: image: found {transition.image!r:.100},"
            " expected images/<sha256>.png or the like"
        )
    return transition


@dataclass(frozen=True, slots=True)
class Difference:
    """What a replayed step gave that is not what was recorded."""

    step: int
    field: str
    recorded: object
    found: object


def replay(
    env: MLGymEnv,
    transitions: Iterable[Transition],
    seed: int | None = None,
    ending: ExitReason | None = None,
) -> Iterator[tuple[Transition, list[Difference]]]:
    """Run recorded actions again: each new transition, with its differences to the record.

    Every action is run in the state that its recorded parent led to. Metrics are compared within
    their tolerance; rewards, which follow from metrics, for as long as those are the same. Ends
    early where the episode does. `ending` is why the recorded episode was finished from outside, if
    it was; no line holds that as a field, so without it the words of such an ending are not
    compared.

    Raises:
        ConfigError: an action's parent is no step before it.
        SandboxError, TaskError: as `MLGymEnv.step`.
    """
    lines = list(transitions)
    env.reset(seed=seed)
    same_metrics = True
    with closing(_Branches(env, lines)) as branches:
        for place, recorded in enumerate(lines):
            if recorded.step > 0:
                if env.exit_reason is not None:
                    return
                branches.follow(place)
                if recorded.action is not None:
                    env.step(recorded.action)
                else:
                    env.finish(ending or ExitReason.INTERRUPTED)
            found = env.last_transition
            if found is None:
                return
            same_metrics = same_metrics and _same(recorded.metrics, found.metrics)
            differences = list(compare_steps(env, recorded, found))
            if recorded.step > 0 and recorded.action is None and ending is None:
                differences = [item for item in differences if item.field != "observation"]
            if same_metrics and not _close(recorded.reward, found.reward):
                differences.append(
                    Difference(recorded.step, "reward", recorded.reward, found.reward)
                )
            yield found, differences


class _Branches:
    """Holds the states that recorded lines go back to, each until its last use."""

    def __init__(self, env: MLGymEnv, lines: Sequence[Transition]) -> None:
        self._env = env
        self._lines = lines
        self._held: dict[int, Snapshot] = {}
        self._last_use = {
            line.parent: place
            for place, line in enumerate(lines)
            if place and line.parent is not None and line.parent != lines[place - 1].step
        }

    def follow(self, place: int) -> None:
        """Bring the environment into the state that the line at `place` was run in."""
        if not place:
            return
        here, line = self._lines[place - 1].step, self._lines[place]
        if self._last_use.get(here, 0) >= place and here not in self._held:
            self._held[here] = self._env.snapshot()
        parent = line.parent
        if parent is None or parent == here:
            return
        if parent not in self._held:
            raise ConfigError(f"step {line.step}: parent: found {parent}, which is no step before")
        self._env.restore(self._held[parent], keep_budget=True)
        if self._last_use[parent] == place:
            self._held.pop(parent).close()

    def close(self) -> None:
        for snapshot in self._held.values():
            snapshot.close()


def compare_steps(env: MLGymEnv, recorded: Transition, found: Transition) -> Iterator[Difference]:
    """Where a step that was run again in `env` is not as it was recorded; rewards apart."""
    for field in ("observation", "exit_code", "terminated", "truncated", "tool", "image"):
        before, now = getattr(recorded, field), getattr(found, field)
        if before != now:
            yield Difference(recorded.step, field, before, now)
    tolerances = {metric.name: metric for metric in env.task.spec.metrics}
    before, now = dict(recorded.metrics or {}), dict(found.metrics or {})
    for name in sorted({*before, *now}):
        metric = tolerances.get(name)
        if (
            name not in before
            or name not in now
            or (metric is not None and not metric.agree(before[name], now[name]))
        ):
            yield Difference(recorded.step, name, before.get(name), now.get(name))


def _same(one: Mapping[str, float] | None, other: Mapping[str, float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)


def _close(one: float, other: float) -> bool:
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
