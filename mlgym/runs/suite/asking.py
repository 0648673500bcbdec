"""What a suite is asked to be: a YAML file, `key=value` over it, and flags over both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from mlgym.config import EvalConfig, FieldPath
from mlgym.errors import ConfigError, TaskError
from mlgym.runs.suite.folder import SUITE
from mlgym.runs.suite.plan import Plan
from mlgym.task.document import Document, read_document


def ask(words: Sequence[str], flags: Mapping[str, Any], there: Plan | None = None) -> EvalConfig:
    """The suite that `words` (a file and `key=value`) and `flags` (by field) ask for.

    `there` is the one to go on with where neither names any task.

    Raises:
        ConfigError: names file, argument or flag, field, the value found and what was expected.
    """
    file, overrides = _sorted(words)
    document = _read(file)
    fields: dict[str, Any] = dict(document.content) if document else {}
    if document is None and there is not None and "tasks" not in flags:
        fields = there.config.to_json()
    if file is not None:
        fields.setdefault("name", file.stem)
    said: dict[str, str] = {}
    for word in overrides:
        key, _, text = word.partition("=")
        _set(fields, key.split("."), _value(word, text), word)
        said[key.partition(".")[0]] = word
    fields.update(flags)
    if not fields.get("tasks"):
        raise ConfigError(
            "--tasks: found nothing, expected: names, or all; or a suite's file; or --out with a"
            f" folder that holds a {SUITE}"
        )

    def where(path: FieldPath) -> str:
        top = str(path[0]) if path else ""
        name = ".".join(map(str, path))
        if top in flags:
            return f"--{top.replace('_', '-')}"
        if top in said:
            return f"{said[top]}: {name}"
        return f"{document.file}: {document.where(path)}" if document else f"the suite: {name}"

    return EvalConfig.make(fields, where)


def _sorted(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The file among the words, and the overrides."""
    files = [word for word in words if "=" not in word]
    if len(files) > 1:
        raise ConfigError(f"found two files, {files[0]} and {files[1]}, expected: one suite's file")
    return (Path(files[0]) if files else None), [word for word in words if "=" in word]


def _read(file: Path | None) -> Document | None:
    if file is None:
        return None
    try:
        return read_document(file)
    except TaskError as error:
        raise ConfigError(str(error)) from None


def _value(word: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{word}: found {text!r}, expected: a value as in YAML") from None


def _set(fields: dict[str, Any], path: Sequence[str], value: Any, word: str) -> None:
    """Put a value at a dotted path, making the mappings on the way."""
    for key in path[:-1]:
        inner = fields.get(key)
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise ConfigError(
                f"{word}: found no mapping at {key}, expected: one that holds the rest"
            )
        # A copy: the file's own content stays as it is.
        inner = dict(cast("dict[str, Any]", inner))
        fields[key] = inner
        fields = inner
    fields[path[-1]] = value
