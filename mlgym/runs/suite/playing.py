"""Plays one cell of a suite, from whatever is left of it to its end, exactly once.

This is the unit of a suite's work. It knows nothing of who calls it, and needs the folder alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlgym.agent_loader import FoundAgent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError
from mlgym.models.local import ready_model
from mlgym.runs.kept_env import DiffersError
from mlgym.runs.ready import ready_data, ready_image
from mlgym.runs.resuming import Unfinished, make_env_to_resume, resume_episode, unfinished
from mlgym.runs.single import Watch, begin_episode, check, make_env
from mlgym.runs.store import RunFolder, make_folder
from mlgym.runs.suite.claims import look, set_aside, set_lost
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.matrix import Cell

OnEnv = Callable[[MLGymEnv], None]


class NotReadyError(SandboxError):
    """What the cell needs cannot be had now, so that nothing of it was begun."""


def play_cell(
    folder: Path,
    cell: Cell,
    config: RunConfig,
    watch: Watch,
    *,
    most_lost: int,
    on_env: OnEnv = lambda _: None,
) -> dict[str, Any]:
    """The record of the cell's run, which is played now unless it has been.

    A run that was cut off is resumed; one that cannot be is put aside and begun anew. A failed try
    is kept beside and repeated, while there are at most `most_lost` of them. `on_env` gets the
    environment before it is reset.

    Raises:
        HeldError: another process plays it.
        NotReadyError: see there.
        ConfigError, TaskError: it cannot be played, and trying again would not help.
        SandboxError: as `begin_episode`, `resume_episode`.
    """
    with held(folder, cell.key):
        standing = look(folder, cell)
        run = RunFolder(folder / cell.key)
        spent = standing.state == "failed" and standing.lost > most_lost
        if standing.record is not None and (standing.is_done or spent):
            return standing.record
        if run.path.is_dir() and run.is_running:
            # By `mlgym run --resume`, or what its killed process has just forked holds it still.
            raise HeldError(f"{run.path}: this run is running")
        found = check(config)
        if standing.state == "cut_off":
            record = _resumed(run, config, found, watch, on_env)
            if record is not None:
                return record
            place = set_aside(folder, cell)
            watch.log(f"{cell.key}: begun anew; what there was of it is in {place}")
        env = make_env(config, found)
        _ready(env, config, watch)
        if standing.state == "failed":
            set_lost(folder, cell)
        elif standing.state == "missing":
            # Killed before there was a record: nothing was played.
            shutil.rmtree(run.path, ignore_errors=True)
        on_env(env)
        return begin_episode(config, found, env, make_folder(run.path), watch)[1]


def _resumed(
    run: RunFolder, config: RunConfig, found: FoundAgent, watch: Watch, on_env: OnEnv
) -> dict[str, Any] | None:
    """The record of the run, gone on with to its end; None where it cannot be."""
    try:
        left = _with_lease(unfinished(run), config)
        env = make_env_to_resume(left, found)
    except ConfigError as error:
        watch.log(f"{run.path.name}: cannot be resumed: {error}")
        return None
    _ready(env, config, watch)
    on_env(env)
    try:
        return resume_episode(left, found, env, watch)[1]
    except (ConfigError, DiffersError) as error:
        watch.log(f"{run.path.name}: cannot be resumed: {error}")
        with suppress(OSError):
            env.close()
        return None


def _with_lease(left: Unfinished, config: RunConfig) -> Unfinished:
    """The run on the GPUs that it has now, whichever it had."""
    now = {"gpus": config.gpus}
    return Unfinished(
        left.folder,
        left.record,
        left.config.model_copy(update=now),
        left.played.model_copy(update=now),
    )


def _ready(env: MLGymEnv, config: RunConfig, watch: Watch) -> None:
    """Make ready what this machine lacks: another one may have made the suite ready for itself."""
    try:
        ready_image(env.task, env.sandbox_name, watch.log)
        ready_data(env.task, env.profile, env.laboratory.data_seed, watch.log)
        ready_model(config.model, watch.log)
    except SandboxError as error:
        raise NotReadyError(str(error)) from error
