"""Reads one YAML file strictly and remembers on which line each field stands.

A duplicate key is refused (YAML itself would silently keep the last one), and so is anything but a
mapping at the top. What the fields mean is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from mlgym.errors import TaskError

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a YAML file, and for every field the line (from 1) on which it stands."""

    file: Path
    content: Mapping[str, Any]
    lines: Mapping[FieldPath, int]

    def where(self, path: FieldPath) -> str:
        """`line 12, metrics.0.scale` for a field, or for the nearest one that encloses it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = f"line {self.lines[known]}, " if known else ""
        return line + (".".join(str(part) for part in path) or "the file")


def read_document(file: Path) -> Document:
    """Read `file`.

    Raises:
        TaskError: the file is missing, is not YAML, holds a key twice, or is not a mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TaskError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{file}: cannot be read: {error}") from error
    # The same language, read by libyaml where PyYAML was built with it: ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    lines: dict[FieldPath, int] = {}
    try:
        node = loader.get_single_node()
        _note_lines(file, node, (), lines, ())
        content = cast("Any", loader).construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        raise TaskError(f"{file}: is not valid YAML: {_one_line(error)}") from error
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise TaskError(f"{file}: found {found}, expected a mapping of fields to values")
    return Document(file, cast("dict[str, Any]", content), lines)


def _note_lines(
    file: Path,
    node: yaml.Node | None,
    path: FieldPath,
    lines: dict[FieldPath, int],
    above: tuple[yaml.Node, ...],
) -> None:
    if any(node is other for other in above):
        raise TaskError(f"{file}: {'.'.join(map(str, path))}: an alias stands for itself")
    above = (*above, node) if node is not None else above
    if isinstance(node, yaml.MappingNode):
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            here = (*path, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                raise TaskError(
                    f"{file}: line {line}, {'.'.join(map(str, here))}: "
                    f"found a second time (first on line {lines[here]}), expected once"
                )
            lines[here] = line
            _note_lines(file, value, here, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast("list[yaml.Node]", node.value)):
            here = (*path, index)
            lines[here] = item.start_mark.line + 1
            _note_lines(file, item, here, lines, above)


def _one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
