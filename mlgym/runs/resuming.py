"""Goes on with a run whose process was killed: the same folder, the same record, the same end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlgym.agent_loader import FoundAgent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.rollout import Outcome
from mlgym.runs.again import RecordedNotes
from mlgym.runs.checkpoint import read_checkpoint
from mlgym.runs.kept_env import Past
from mlgym.runs.single import Start, Watch, make_env, play
from mlgym.runs.store import CHECKPOINT, MEMORY, MODEL, TRAJECTORY, RunFolder
from mlgym.runs.whole import written_whole
from mlgym.task.spec import find_task
from mlgym.tools.notes_file import NotesFile
from mlgym.types import Transition

_FORKED_S, _LOOK_S = 0.5, 0.02


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that can be resumed. `played` is its configuration with what "auto" came to."""

    folder: RunFolder
    record: dict[str, Any]
    config: RunConfig
    played: RunConfig


def unfinished(folder: RunFolder) -> Unfinished:
    """The run in `folder`, if there is anything to go on with.

    Raises:
        ConfigError: it has ended, is running, was imported, or branches; or it cannot be read.
    """
    record = folder.record()
    if "imported" in record["config"]:
        raise ConfigError(f"{folder.path}: found an imported run, expected one played here")
    if record["exit_reason"] is not None:
        raise ConfigError(
            f"{folder.path}: the run has ended ({record['exit_reason']}): nothing is left to resume"
        )
    if not _is_left(folder):
        raise ConfigError(f"{folder.path}: the run is running")
    config = RunConfig.make(**{**record["config"], "out": folder.path.parent})
    resolved = {"data": record["profile"], "sandbox": record["sandbox"]}
    return Unfinished(folder, record, config, config.model_copy(update=resolved))


def _is_left(folder: RunFolder) -> bool:
    """Whether nobody is at work on it. What a killed process had just forked may still hold it."""
    until = time.monotonic() + _FORKED_S
    while folder.is_running:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_S)
    return True


def make_env_to_resume(run: Unfinished, found: FoundAgent) -> MLGymEnv:
    """As `make_env`; notes that the run has kept itself are not there before it keeps them."""
    memory, notes = run.played.memory, None
    if memory is not None and (run.folder.path / MEMORY).exists():
        kept = NotesFile(memory, find_task(run.played.task).spec.id)
        notes = RecordedNotes(tuple(run.folder.notes()), kept)
    return make_env(run.played, found, notes)


def resume_episode(
    run: Unfinished, found: FoundAgent, env: MLGymEnv, watch: Watch, *, strict: bool = False
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    """Play the run to its end: what came after the newest checkpoint is run again. Closes `env`.

    The agent goes through all its steps once more and is told what it was told, its model's words
    among that; `strict` stops where a step that is run again gives another observation.

    Raises:
        ConfigError: the task has changed, or the agent decides otherwise than it did.
        DiffersError: see `KeptEnv`. In all these cases the run can be resumed again.
        SandboxError: the sandbox is lost before the run has come back to where it was.
    """
    folder, record = run.folder, run.record
    if env.task.sha256 != record["task_sha256"]:
        raise ConfigError(f"{folder.path}: the task {env.task.spec.id} has changed since")
    recorded = _recorded(folder)
    _cut_torn(folder.path / MODEL)
    checkpoint = read_checkpoint(folder.path / CHECKPOINT, watch.log)
    past = Past(recorded, checkpoint)
    if past.checked > len(recorded):
        raise ConfigError(f"{folder.path}: lines are missing between trajectory and checkpoint")
    spent = 0.0
    if recorded:
        began = datetime.fromisoformat(record["started_at"]).timestamp()
        spent = max(0.0, recorded[-1].time - began)
    start = Start(past, strict, record["started_at"], spent)
    return play(run.config, found, env, folder, watch, start)


def _recorded(folder: RunFolder) -> list[Transition]:
    """The whole lines; what was torn, or ended a run that now goes on, is cut from the file."""
    path = folder.path / TRAJECTORY
    _cut_torn(path)
    recorded = folder.transitions()
    if any(step.parent != step.step - 1 for step in recorded[1:]):
        raise ConfigError(f"{folder.path}: the run branches, and such runs cannot be resumed")
    if recorded and (recorded[-1].terminated or recorded[-1].truncated):
        # It was killed between its last step and its record: that step is played once more.
        recorded.pop()
        lines = path.read_bytes().splitlines(keepends=True)
        with written_whole(path) as fresh:
            fresh.write_bytes(b"".join(lines[: len(recorded)]))
    return recorded


def _cut_torn(path: Path) -> None:
    """Cut what follows the last whole line, so that lines can be added."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with written_whole(path) as fresh:
            fresh.write_bytes(whole)
