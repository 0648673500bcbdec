"""Keeps what was found sound, so that a check repeats only what has changed.

    $MLGYM_HOME/checks/<task>/<profile>-<sandbox>/<claim>.json

A finding is kept with a hash over the parts of the task that it follows from, and over the code
that grades and checks. What failed is not kept: it may have been the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgym.sandbox.images import load_image
from mlgym.task.check.claims import Claim, Finding, Part
from mlgym.task.data import data_digest
from mlgym.task.manifest import file_sum
from mlgym.task.spec import Task, task_files

_WORDS = {"title", "domain", "description", "data_docs", "tags"}
"""Fields of task.yaml that change no number."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Findings on tasks as they are in one kind of sandbox. With `fresh` none is recalled."""

    folder: Path
    sandbox: str
    fresh: bool = False

    def recall(self, task: Task, profile: str, claim: Claim) -> Finding | None:
        """What an earlier check of the same parts found; None where there was none."""
        if self.fresh or not claim.parts:
            return None
        try:
            kept: dict[str, Any] = json.loads(self._file(task, profile, claim).read_text("utf-8"))
            if kept["hash"] != _fingerprint(task, claim.parts):
                return None
            return Finding(claim.name, True, kept["detail"], kept["duration_s"], kept=True)
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def keep(self, task: Task, profile: str, claim: Claim, finding: Finding) -> None:
        """Keep a finding that holds. Raises OSError."""
        if not finding.ok or not claim.parts:
            return
        file = self._file(task, profile, claim)
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "claim": claim.name,
            "hash": _fingerprint(task, claim.parts),
            "task_sha256": task.sha256,
            "detail": finding.detail,
            "duration_s": round(finding.duration_s, 3),
        }
        fresh = file.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        fresh.rename(file)

    def _file(self, task: Task, profile: str, claim: Claim) -> Path:
        name = re.sub(r"\W+", "-", claim.name)
        return self.folder / task.spec.id / f"{profile}-{self.sandbox}" / f"{name}.json"


def _fingerprint(task: Task, parts: tuple[Part, ...]) -> str:
    digest = hashlib.sha256()
    for part in sorted(parts):
        for line in _lines(task, part):
            digest.update(f"{part}\0{line}\n".encode())
    for name, path in task_files(Path(__file__).parent.parent):  # mlgym.task itself
        digest.update(f"{name}\0{file_sum(path)}\n".encode())
    return digest.hexdigest()


def _lines(task: Task, part: Part) -> Iterator[str]:
    """What one part of a task is made of, one line a piece."""
    spec = task.spec
    if part == "data":
        yield data_digest(task)
    elif part == "image":
        yield load_image(spec.image).digest(sys.version)
    elif part == "spec":
        yield spec.model_dump_json(exclude=_WORDS)
    else:
        folder = task.folder / part
        if part == "grader":
            folder = (task.folder / spec.grader.script).parent
        for name, path in task_files(folder):
            yield f"{name}\0{file_sum(path)}"
