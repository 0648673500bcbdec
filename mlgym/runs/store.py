"""A run's folder: `run.json`, `trajectory.jsonl`, `model.jsonl`, `workspace.tar.zst`, `log.txt`.
A run with `--memory` has `memory.jsonl` too: the notes that it began with. Images that the agent
looked at lie beside, each once, in `images/`.

`run.json` is there from the start, with `exit_reason` null for as long as the run has not ended, so
that a run killed at any moment can be read. It is replaced atomically; the other files only grow.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zstandard

from mlgym.errors import ConfigError, SandboxError
from mlgym.runs.whole import write_json, written_whole
from mlgym.trajectory import read_trajectory
from mlgym.types import Image, Transition

RECORD = "run.json"
TRAJECTORY = "trajectory.jsonl"
MODEL = "model.jsonl"
WORKSPACE = "workspace.tar.zst"
LOG = "log.txt"
MEMORY = "memory.jsonl"
IMAGES = "images"
CHECKPOINT = "checkpoint"
PARTS = (RECORD, TRAJECTORY, MODEL, WORKSPACE, LOG, MEMORY, IMAGES, CHECKPOINT)
"""All that a run folder holds."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run lies. Reading methods raise ConfigError for what is missing or broken."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Replace `run.json` as a whole."""
        write_json(self.path / RECORD, record)

    @property
    def has_record(self) -> bool:
        return (self.path / RECORD).exists()

    @contextlib.contextmanager
    def held(self) -> Generator[None, None, None]:
        """Mark the run as running, for as long as this process lives and does not leave.

        Where the file system has no such locks it goes unmarked.

        Raises:
            ConfigError: another process is at work on it.
        """
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Readers hold it for a moment.
            if not any(_locked(handle, fcntl.LOCK_EX) or time.sleep(0.02) for _ in range(10)):
                raise ConfigError(f"{self.path}: this run is running")
            yield
        finally:
            os.close(handle)

    @property
    def is_running(self) -> bool:
        """Whether a process of this machine is at work on it."""
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return not _locked(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def log(self, line: str) -> None:
        """Append a line, with the time, to `log.txt`, if there is room: no run ends for its log."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with (
            contextlib.suppress(OSError),
            (self.path / LOG).open("a", encoding="utf-8", errors="replace") as file,
        ):
            file.write(f"{now} {line}\n")

    def log_model(self, entry: Mapping[str, Any]) -> None:
        """Append what was said to or by the model to `model.jsonl`."""
        with (self.path / MODEL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, default=str) + "\n")

    def keep_notes(self, texts: Iterable[str]) -> None:
        """Keep the notes that there were at the start as `memory.jsonl`, as a memory's file."""
        lines = (json.dumps({"text": text}) + "\n" for text in texts)
        (self.path / MEMORY).write_text("".join(lines), encoding="utf-8")

    def write_image(self, image: Image) -> None:
        """Keep an image at its name, once."""
        path = self.path / image.name
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as fresh:
            fresh.write_bytes(image.data)

    def image(self, name: str) -> Image | None:
        """The image kept at its name, None where it is not there, or not what it was."""
        try:
            found = Image(f"image/{name.rpartition('.')[2]}", (self.path / name).read_bytes())
        except OSError:
            return None
        return found if found.name == name else None

    def write_workspace(self, pieces: Iterable[bytes]) -> None:
        """Keep a tar stream as `workspace.tar.zst`; nothing where the stream breaks off."""
        with (
            written_whole(self.path / WORKSPACE) as fresh,
            fresh.open("wb") as file,
            zstandard.ZstdCompressor(level=3).stream_writer(file) as packed,
        ):
            for piece in pieces:
                packed.write(piece)

    def discard(self) -> None:
        """Remove the folder of a run that never began."""
        shutil.rmtree(self.path, ignore_errors=True)

    def record(self) -> dict[str, Any]:
        path = self.path / RECORD
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from error

    def notes(self) -> list[str]:
        """The notes that there were at the start."""
        path = self.path / MEMORY
        try:
            return [json.loads(line)["text"] for line in path.read_bytes().splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path}: {error}") from error

    def transitions(self) -> list[Transition]:
        return read_trajectory(self.path / TRAJECTORY)


def _locked(handle: int, kind: int) -> bool:
    """Whether nobody else holds the lock; what cannot be locked is held by nobody."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def new_run(root: Path, task: str, agent: str) -> RunFolder:
    """Make a folder for a run under `root`; ids sort by time.

    Raises:
        ConfigError: there can be none.
        SandboxError: the host has no room left for it.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = Path(agent).name.replace(":", ".") or "agent"
    return make_folder(root / f"{stamp}-{task}-{name}-{secrets.token_hex(3)}")


def make_folder(path: Path) -> RunFolder:
    """Make the folder of a run at `path`. Raises as `new_run`."""
    try:
        path.mkdir(parents=True)
        (path / TRAJECTORY).touch()
    except OSError as error:
        words = f"--out {path.parent}: no run folder can be made there: {error}"
        raise (SandboxError if error.errno in _FULL else ConfigError)(words) from error
    return RunFolder(path)


def find_run(wanted: str, root: Path = Path("runs")) -> RunFolder:
    """The run at the path `wanted`, or of that id under `root`. Raises ConfigError."""
    for path in (Path(wanted), root / wanted):
        if (path / RECORD).is_file():
            return RunFolder(path)
    raise ConfigError(f"{wanted}: no run there, nor under {root} (a run folder holds {RECORD})")
