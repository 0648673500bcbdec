"""Notes that outlive a run: a file of JSON lines that only grows, shared by any number of runs."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.base import MB
from mlgym.tools.notes import MOST_NOTES

NOTES = "notes.jsonl"
_LOCK = "notes.lock"
_LONGEST_WAIT_S = 30.0
_MOST_BYTES = 32 * MB
"""More than `MOST_NOTES` of the longest take as JSON: what lies before is not read."""


class NotesFile:
    """`notes.jsonl` in a folder; a line holds a note's `text`, its `task` and its Unix `time`.

    Lines are appended under a lock, so that runs at the same time lose nothing. Nothing is made
    before the first `read`.
    """

    def __init__(self, folder: Path, task: str) -> None:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--memory {folder}: expected a folder")
        self._folder = folder
        self._task = task

    def read(self) -> list[str]:
        """The newest notes, oldest first, each once. Lines that are no notes are warned about.

        Raises ConfigError where the folder can be neither made nor written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                start = max(0, file.seek(0, os.SEEK_END) - _MOST_BYTES)
                file.seek(start)
                lines = file.read().split(b"\n")
        except OSError as error:
            raise ConfigError(f"--memory {self._folder}: {error}") from error
        if start:
            del lines[0]
        found: dict[str, None] = {}
        for number, line in enumerate(lines, 1):
            text = _note(line)
            if text is not None:
                found[text] = None
            elif line:
                where = f"line {number}" if not start else f"a line after byte {start}"
                told = f"{self._folder / NOTES}: {where} is torn or no note: left out"
                warnings.warn(told, RuntimeWarning, stacklevel=2)
        return list(found)[-MOST_NOTES:]

    def add(self, text: str) -> None:
        """Append a note, whatever becomes of the run. Raises SandboxError where that fails."""
        note = {"time": round(time.time(), 3), "task": self._task, "text": text}
        line = json.dumps(note).encode() + b"\n"
        try:
            with self._locked() as file:
                # What a killed run left torn stays a line of its own.
                if (end := file.seek(0, os.SEEK_END)) and file.seek(end - 1) and _torn(file):
                    line = b"\n" + line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SandboxError(f"no note can be kept in {self._folder}: {error}") from error

    @contextmanager
    def _locked(self) -> Generator[IO[bytes]]:
        lock = FileLock(self._folder / _LOCK, timeout=_LONGEST_WAIT_S)
        with lock, (self._folder / NOTES).open("a+b") as file:
            yield file


def _torn(file: IO[bytes]) -> bool:
    return file.read(1) != b"\n"


def _note(line: bytes) -> str | None:
    """The text of a line, None where it is no note."""
    try:
        text = json.loads(line)["text"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    # A lone surrogate, which no agent can write, could be no observation.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else None
