"""Reads the trajectories that the original MLGym published: one `.traj` file is one run.

Who wrote such a file is unknown: it is data, every field is checked, nothing of it is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from mlgym.errors import ConfigError

RESULTS = "results.json"
LARGEST = 256 << 20
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class ForeignStep:
    """One item of `trajectory`. `duration_s` is its `execution_time`."""

    action: str
    observation: str
    thought: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """What a `.traj` file holds, as far as it is used here.

    `scores` are what each grading came to, in order: the last one is the submission's. `baseline`
    is that of `results.json`. `brief` is the first thing that the user said in `history`. `stats`
    are the numbers in `model_stats`. `task` and `model` come from the file itself or from the name
    of its folder (`<model>__<task>__...`), where one of them tells.
    """

    path: Path
    steps: tuple[ForeignStep, ...]
    brief: str
    scores: tuple[Mapping[str, float], ...]
    baseline: Mapping[str, float]
    exit_status: str | None
    stats: Mapping[str, float]
    task: str | None
    model: str | None


def read_traj(path: Path) -> ForeignRun:
    """The run in the file at `path`.

    Raises:
        ConfigError: it cannot be read, or a field is not as it should be; names file and field,
            what was found and what was expected.
    """
    found = _File(path, _document(path))
    items = found.list_of(found.content, "trajectory")
    if len(items) > _MOST_STEPS:
        found.fail("trajectory", f"{len(items)} items", f"at most {_MOST_STEPS}")
    info = found.mapping(found.content, "info")
    results = _results(path)
    scores = found.metrics(info, "info.score", "score")
    if not scores and results is not None and len(list(path.parent.glob("*.traj"))) == 1:
        scores = results.metrics(results.content, "agent", "agent")
    baseline = results.metrics(results.content, "baseline", "baseline") if results else ()
    model, task = _named(path)
    return ForeignRun(
        path=path,
        steps=tuple(_step(found, place, item) for place, item in enumerate(items)),
        brief=_brief(found),
        scores=scores,
        baseline=baseline[-1] if baseline else {},
        exit_status=found.text(info, "exit_status", "info.exit_status") or None,
        stats=_stats(found, info),
        task=found.text(found.content, "environment", "environment") or task,
        model=model,
    )


class _File:
    """A parsed file, whose fields are taken out by the type that they must have."""

    def __init__(self, path: Path, content: Any) -> None:
        self.path = path
        if not isinstance(content, dict):
            self.fail("the whole file", content, "an object")
        self.content = cast("Mapping[str, Any]", content)

    def fail(self, field: str, value: object, expected: str) -> NoReturn:
        raise ConfigError(f"{self.path}: {field}: found {value!r:.100}, expected {expected}")

    def list_of(self, owner: Mapping[str, Any], field: str) -> Sequence[Any]:
        value = owner.get(field)
        if not isinstance(value, list):
            self.fail(field, value, "a list")
        return cast("list[Any]", value)

    def mapping(self, owner: Mapping[str, Any], key: str, field: str = "") -> Mapping[str, Any]:
        """An object, empty where there is none."""
        value = owner.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(field or key, value, "an object")
        return cast("dict[str, Any]", value)

    def text(self, owner: Mapping[str, Any], key: str, field: str) -> str:
        """A text, empty where there is none."""
        value = owner.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(field, value, "text")
        return value or ""

    def number(self, owner: Mapping[str, Any], key: str, field: str) -> float:
        """A finite number, 0 where there is none."""
        value = owner.get(key)
        if value is None:
            return 0.0
        if not _is_finite(value):
            self.fail(field, value, "a finite number")
        return float(value)

    def metrics(
        self, owner: Mapping[str, Any], field: str, key: str
    ) -> tuple[Mapping[str, float], ...]:
        """A list of objects of numbers, or one such object; none where there is none."""
        value = owner.get(key)
        if value is None:
            return ()
        entries = cast("list[Any]", value) if isinstance(value, list) else [value]
        return tuple(
            self._metrics(f"{field}[{place}]", entry) for place, entry in enumerate(entries)
        )

    def _metrics(self, field: str, entry: Any) -> Mapping[str, float]:
        if not isinstance(entry, dict):
            self.fail(field, entry, "an object of numbers by metric")
        found = cast("dict[str, Any]", entry)
        for name, value in found.items():
            if not _is_finite(value):
                self.fail(f"{field}.{name}", value, "a finite number")
        return {name: float(value) for name, value in found.items()}


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ConfigError(f"{path}: found more than {LARGEST} bytes, expected at most those")
        return json.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: found no JSON ({error}), expected a trajectory's") from None


def _results(path: Path) -> _File | None:
    beside = path.with_name(RESULTS)
    return _File(beside, _document(beside)) if beside.is_file() else None


def _step(found: _File, place: int, item: Any) -> ForeignStep:
    field = f"trajectory[{place}]"
    if not isinstance(item, dict):
        found.fail(field, item, "an object")
    step = cast("Mapping[str, Any]", item)
    if "action" not in step:
        found.fail(f"{field}.action", "nothing", "text")
    duration = found.number(step, "execution_time", f"{field}.execution_time")
    if duration < 0:
        found.fail(f"{field}.execution_time", duration, "seconds")
    texts = (
        found.text(step, key, f"{field}.{key}")
        for key in ("action", "observation", "thought", "response")
    )
    action, observation, thought, response = texts
    return ForeignStep(action, observation, thought or response, duration)


def _brief(found: _File) -> str:
    if found.content.get("history") is None:
        return ""
    for place, message in enumerate(found.list_of(found.content, "history")):
        if not isinstance(message, dict):
            found.fail(f"history[{place}]", message, "an object")
        said = cast("Mapping[str, Any]", message)
        if said.get("role") == "user" and not said.get("is_demo"):
            return found.text(said, "content", f"history[{place}].content")
    return ""


def _stats(found: _File, info: Mapping[str, Any]) -> Mapping[str, float]:
    given = found.mapping(info, "model_stats", "info.model_stats")
    return {name: found.number(given, name, f"info.model_stats.{name}") for name in given}


def _named(path: Path) -> tuple[str | None, str | None]:
    parts = path.absolute().parent.name.split("__")
    return (parts[0] or None, parts[1] or None) if len(parts) > 1 else (None, None)
