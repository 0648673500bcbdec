"""The checksums of prepared data: made once, written beside it, compared later."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgym.errors import TaskError
from mlgym.sandbox.guest.files import FIXED_MTIME

MANIFEST = "manifest.json"
PARTS = ("public", "private")
SALT = "salt"
"""In `private`: 64 hexadecimal digits, drawn once for each preparation, that graders seed with."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files` maps `public/...` and `private/...` to SHA-256 sums.

    The salt stands apart: it is random, everything else follows from (profile, data seed).
    """

    task: str
    version: int
    profile: str
    data_seed: int
    files: Mapping[str, str]
    salt: str

    def write(self, folder: Path) -> None:
        content: dict[str, Any] = {
            "task": self.task,
            "version": self.version,
            "profile": self.profile,
            "data_seed": self.data_seed,
            "salt": self.salt,
            "files": dict(self.files),
        }
        (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`.

    Raises:
        OSError, ValueError: it is missing or damaged.
    """
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**content)
    except TypeError as error:
        raise ValueError(f"{folder / MANIFEST}: {error}") from error


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 sums of the files under `public/` and `private/` of `folder`, without the salt."""
    return {
        path.relative_to(folder).as_posix(): file_sum(path)
        for part in PARTS
        for path in _regular_files(folder / part)
        if path != folder / "private" / SALT
    }


def file_sum(path: Path) -> str:
    """The SHA-256 sum of one file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What is missing, changed or added in `found`, one line a file."""
    lines: list[str] = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name}: is missing")
        elif name not in expected:
            lines.append(f"{name}: was added")
        elif expected[name] != found[name]:
            lines.append(f"{name}: sum {found[name][:12]}..., expected {expected[name][:12]}...")
    return lines


def settle(folder: Path) -> None:
    """Give everything under `folder`'s two parts fixed modes and times.

    World-readable, because sandboxes read it as another user; the folder above keeps others out.
    """
    for part in PARTS:
        for path in _regular_files(folder / part):
            path.chmod(0o644)
            os.utime(path, (FIXED_MTIME, FIXED_MTIME))
        for inner in [*(folder / part).rglob("*/"), folder / part]:
            inner.chmod(0o755)
            os.utime(inner, (FIXED_MTIME, FIXED_MTIME))


def _regular_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif not stat.S_ISDIR(mode):
            raise TaskError(f"{path}: prepared data may hold files and folders only")
