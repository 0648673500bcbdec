"""What must hold in `task.yaml` beyond types: between its fields, and with its folder.

Each rule yields `Problem`s, so that an author sees all of them at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlgym.task.document import FieldPath
from mlgym.task.schema import PLACEHOLDER, MetricSpec, TaskSpec

_NAMED = ("package", "dataset", "config", "file")
PLACEHOLDERS = ("data_docs", "baseline", "metric")


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that breaks a rule: where, what stands there, and what was expected."""

    path: FieldPath
    found: Any
    expected: str


def problems(spec: TaskSpec, folder: Path) -> Iterator[Problem]:
    """Everything wrong with `spec` as the task of `folder`."""
    if spec.id != folder.name:
        yield Problem(("id",), spec.id, f"the folder's name, {folder.name!r}")
    yield from _paths(spec, folder)
    yield from _metrics(spec)
    yield from _profiles(spec)
    yield from _description(spec)
    yield from _sources(spec)


def _paths(spec: TaskSpec, folder: Path) -> Iterator[Problem]:
    for index, path in enumerate(spec.submission.paths):
        if not _stays_inside(path) or PurePosixPath(path).parts[:1] == ("data",):
            expected = "a relative path inside the workspace, without '..' and not under data/"
            yield Problem(("submission", "paths", index), path, expected)
    for index, path in enumerate(spec.submission.paths):
        if path.rstrip("/") in {other.rstrip("/") for other in spec.submission.paths[:index]}:
            yield Problem(("submission", "paths", index), path, "each path once")
    named: list[tuple[FieldPath, str]] = [(("grader", "script"), spec.grader.script)]
    if spec.data is not None:
        named.append((("data",), spec.data))
    for field, path in named:
        if not _stays_inside(path):
            yield Problem(field, path, "a relative path inside the task's folder, without '..'")
        elif not (folder / path).is_file():
            yield Problem(field, path, f"a file that exists; there is no {folder / path}")
    if not (folder / "workspace").is_dir():
        yield Problem((), "no folder workspace/", f"the starter files in {folder / 'workspace'}")
    elif (folder / "workspace" / "data").exists():
        yield Problem((), "workspace/data", "none: the public data is mounted there")
    if spec.solution is not None and not (folder / "solution").is_dir():
        yield Problem(
            ("solution",), spec.solution.command, f"the folder {folder / 'solution'} beside it"
        )


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _metrics(spec: TaskSpec) -> Iterator[Problem]:
    counts = Counter(metric.name for metric in spec.metrics)
    for index, metric in enumerate(spec.metrics):
        if counts[metric.name] > 1:
            yield Problem(("metrics", index, "name"), metric.name, "each metric's name once")
        low, high = _bounds(metric)
        if not low < high:
            yield Problem(("metrics", index, "range"), metric.range, "[low, high] with low < high")


def _bounds(metric: MetricSpec) -> tuple[float, float]:
    low, high = metric.range or (None, None)
    return -math.inf if low is None else low, math.inf if high is None else high


def _profiles(spec: TaskSpec) -> Iterator[Problem]:
    metrics = {metric.name: metric for metric in spec.metrics}
    primary = spec.primary
    for profile, values in spec.profiles.items():
        for side, given in (("baseline", values.baseline), ("target", values.target)):
            here: FieldPath = ("profiles", profile, side)
            if primary.name not in given:
                yield Problem(here, dict(given), f"a value for the primary metric {primary.name!r}")
            for name, value in given.items():
                if name not in metrics:
                    yield Problem((*here, name), value, f"one of the metrics {sorted(metrics)}")
                    continue
                low, high = _bounds(metrics[name])
                if not low <= value <= high:
                    yield Problem((*here, name), value, f"a value in the range [{low}, {high}]")
                if metrics[name].scale == "log" and value <= 0:
                    yield Problem((*here, name), value, "a positive number, as the scale is log")
        baseline, target = values.baseline.get(primary.name), values.target.get(primary.name)
        if baseline is None or target is None:
            continue
        better = target > baseline if primary.goal == "maximize" else target < baseline
        if not better:
            side = "above" if primary.goal == "maximize" else "below"
            yield Problem(
                ("profiles", profile, "target", primary.name),
                target,
                f"a value {side} the baseline {baseline}, as the goal is to {primary.goal}",
            )


def _description(spec: TaskSpec) -> Iterator[Problem]:
    names = {match[1] for match in PLACEHOLDER.finditer(spec.description) if match[1]}
    for name in sorted(names - set(PLACEHOLDERS)):
        known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
        expected = f"one of {known} (write {{{{{name}}}}} for the braces themselves)"
        yield Problem(("description",), f"{{{name}}}", expected)
    if "data_docs" in names:
        for profile in spec.profiles:
            if profile not in spec.data_docs:
                yield Problem(
                    ("data_docs",),
                    sorted(spec.data_docs),
                    f"a text for the profile {profile!r}, as the description uses {{data_docs}}",
                )


def _sources(spec: TaskSpec) -> Iterator[Problem]:
    for index, source in enumerate(spec.sources):
        here: FieldPath = ("sources", index)
        given = source.model_dump(exclude_defaults=True)
        kinds = {"package", "dataset", "file"} & given.keys()
        of_a_dataset = {"config", "splits", "rows"} & given.keys()
        if len(kinds) != 1:
            yield Problem(here, given, "one of `package`, `dataset` and `file`")
        elif source.package is not None and (source.version is None or source.sha256 is None):
            yield Problem(here, given, "`version` and `sha256` beside `package`")
        elif source.dataset is not None and (source.version is None or not source.splits):
            yield Problem(here, given, "`version` and `splits` beside `dataset`")
        elif source.file is not None and len(PurePosixPath(source.file).parts) != 1:
            yield Problem((*here, "file"), source.file, "a plain file name")
        if source.dataset is None and of_a_dataset:
            name = min(of_a_dataset)
            yield Problem((*here, name), given[name], "`dataset` beside it")
        for other in spec.sources[:index]:
            same = all(getattr(other, kind) == getattr(source, kind) for kind in _NAMED)
            if same and set(other.profiles) & set(source.profiles):
                yield Problem(here, given, "each source once for a profile, with all its splits")
    if spec.sources and spec.data is None:
        yield Problem(("sources",), f"{len(spec.sources)} sources", "a `data` script to read them")
