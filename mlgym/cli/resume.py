"""`mlgym run --resume`: goes on with a run whose process was killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mlgym.cli.output import note

if TYPE_CHECKING:
    from mlgym.agent_loader import FoundAgent
    from mlgym.config import RunConfig
    from mlgym.env import MLGymEnv


def resumed(wanted: str, out: Path, *, json: bool, strict: bool) -> tuple[dict[str, Any], Path]:
    """The record of the run, played to its end, and its folder. Exit code 1 where it differs."""
    from mlgym.cli.run import play
    from mlgym.runs.kept_env import DiffersError
    from mlgym.runs.resuming import make_env_to_resume, resume_episode, unfinished
    from mlgym.runs.single import Watch
    from mlgym.runs.store import find_run

    run = unfinished(find_run(wanted, out))

    def episode(config: RunConfig, found: FoundAgent, env: MLGymEnv, **watch: Any) -> Any:
        del config  # the run's own is kept in its record, as it was asked for
        return resume_episode(run, found, env, Watch(**watch), strict=strict)

    def make(config: RunConfig, found: FoundAgent) -> MLGymEnv:
        del config
        return make_env_to_resume(run, found)

    try:
        return play(run.played, json, episode, make)
    except DiffersError as error:
        note(f"not resumed: {error}")
        raise typer.Exit(1) from None
