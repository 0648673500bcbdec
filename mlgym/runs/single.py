"""Makes one run: environment, model and agent from a config, an episode, its record on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlgym.agent_loader import FoundAgent, find_agent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError
from mlgym.models.facts import is_text_only
from mlgym.models.pace import Pace
from mlgym.models.registry import check_model
from mlgym.rollout import Outcome, RolloutLimits, rollout
from mlgym.runs.kept_env import KeptEnv, Past
from mlgym.runs.making import make_agents, model_settings
from mlgym.runs.record import run_record
from mlgym.runs.remembering import StrayedError
from mlgym.runs.store import CHECKPOINT, TRAJECTORY, RunFolder, new_run
from mlgym.sandbox.base import MB
from mlgym.tools.aids import KeptNotes, Literature
from mlgym.tools.images import VIEW_IMAGE
from mlgym.tools.registry import tool_specs
from mlgym.trajectory import Difference, TrajectoryWriter
from mlgym.types import Transition

Log = Callable[[str], None]
_WORKSPACE_MOST = 256 * MB


def make_env(
    config: RunConfig,
    found: FoundAgent,
    memory: KeptNotes | None = None,
    literature: Literature | None = None,
) -> MLGymEnv:
    """The environment that the config asks for; nothing of it is started.

    `memory` and `literature` are taken instead of what the config names.
    """
    env = MLGymEnv(
        config.task,
        sandbox=config.sandbox,
        data=config.data,
        data_seed=config.data_seed,
        max_steps=config.max_steps,
        solution=found.spec.needs_solution,
        tools=_tools(config, found),
        runtime=config.runtime,
        memory=memory or config.memory,
        literature=literature or config.literature,
    )
    env.laboratory.gpu_ids = config.gpus
    return env


def _tools(config: RunConfig, found: FoundAgent) -> tuple[str, ...] | None:
    """The tools that actions may call, all where None: no images for a model that takes none."""
    if config.model is None or not is_text_only(config.model):
        return found.spec.tools
    return tuple(tool.name for tool in tool_specs(found.spec.tools) if tool.name != VIEW_IMAGE)


def check(config: RunConfig) -> FoundAgent:
    """Refuse what cannot work, before anything is started: the agent, the model, key and price.

    Raises ConfigError.
    """
    found = find_agent(config.agent)
    if found.spec.needs_model and config.model is None:
        raise ConfigError(
            f"the agent {config.agent!r} needs a model: --model gpt-4o, say;"
            " `mlgym models list` lists names, and --agent oracle needs none"
        )
    if config.model is not None:
        priced = config.cost_limit is not None and config.token_limit is None
        check_model(config.model, model_settings(config, found), priced=priced)
    return found


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows an episode: see `run_episode`. `log` gets what else there is to say.

    `pace` says when its model may be asked.
    """

    on_transition: Callable[[Transition], None] = lambda _: None
    on_action: Callable[[str], None] = lambda _: None
    log: Log = lambda _: None
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where an episode begins: at its beginning, or where it was broken off.

    `started_at` is when it began at first, `spent_s` what it has taken since.
    """

    past: Past = field(default_factory=Past)
    strict: bool = False
    started_at: str | None = None
    spent_s: float = 0.0


def run_episode(
    config: RunConfig,
    found: FoundAgent,
    env: MLGymEnv,
    *,
    on_transition: Callable[[Transition], None] = lambda _: None,
    on_action: Callable[[str], None] = lambda _: None,
    log: Log = lambda _: None,
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    """Play one episode and keep it: its folder, its record, its outcome. Closes `env`.

    `on_action` gets every action before it is run, `on_transition` what came of it.

    Raises as `begin_episode`.
    """
    folder = new_run(config.out, env.task.spec.id, config.agent)
    return begin_episode(config, found, env, folder, Watch(on_transition, on_action, log))


def begin_episode(
    config: RunConfig, found: FoundAgent, env: MLGymEnv, folder: RunFolder, watch: Watch
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    """Play one episode in its fresh folder. Closes `env`.

    Raises:
        ConfigError: the agent or the model cannot be made, or the data has not been prepared: then
            no folder is left.
        SandboxError: the record itself cannot be written. Every other failure is in it.
    """
    try:
        return play(config, found, env, folder, watch, Start())
    except ConfigError:
        folder.discard()
        raise
    except OSError as error:
        if not folder.has_record:
            folder.discard()
        raise _unwritable(folder, error) from error


def play(
    config: RunConfig,
    found: FoundAgent,
    env: MLGymEnv,
    folder: RunFolder,
    watch: Watch,
    start: Start,
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    """Play an episode in its folder, from its start to its end. Closes `env`.

    Raises:
        ConfigError: as `run_episode`; or it does not come back to where it was broken off.
        DiffersError: see `KeptEnv`. Then, as after a ConfigError, the record is as it was.
        SandboxError, OSError: the record cannot be written, or what was played is lost again.
    """
    try:
        with folder.held():
            return _play(config, found, env, folder, watch, start)
    except StrayedError as error:
        raise ConfigError(str(error)) from None


def _play(
    config: RunConfig,
    found: FoundAgent,
    env: MLGymEnv,
    folder: RunFolder,
    watch: Watch,
    start: Start,
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    agent, fallback = make_agents(config, found, env, folder, watch.pace)
    past = start.past

    def tell(line: str) -> None:
        folder.log(line)
        watch.log(line)

    started_at = start.started_at or datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic() - start.spent_s
    unlike: list[dict[str, Any]] = []

    def differs(found: Difference) -> None:
        unlike.append(asdict(found))
        tell(
            f"step {found.step}: {found.field}: recorded {found.recorded!r:.200}, found"
            f" {found.found!r:.200} when it was run again"
        )

    def keep(outcome: Outcome | None) -> dict[str, Any]:
        record = run_record(
            folder.run_id,
            config,
            env,
            outcome,
            model=config.model,
            started_at=started_at,
            duration_s=round(time.monotonic() - began, 3),
        )
        if unlike:
            record["differences"] = unlike
        folder.write_record(record)
        return record

    if past.steps:
        folder.log(f"resumed: {past.steps} steps are known, {past.checked} by a checkpoint")
    else:
        keep(None)
        folder.log(
            f"began: {config.agent} on {config.task}, {env.profile} data, {env.sandbox_name}"
        )
    place = folder.path / CHECKPOINT
    kept = KeptEnv(env, place, tell, past, differs, folder.image, strict=start.strict)
    with closing(env), TrajectoryWriter(folder.path / TRAJECTORY) as writer:

        def record(transition: Transition) -> None:
            known = past.recorded and transition.step < len(past.recorded)
            if known and transition.tool in ("finish", "lost"):
                kind = SandboxError if transition.tool == "lost" else ConfigError
                raise kind(f"not resumed: {transition.observation.strip()}")
            image = env.episode.image
            try:
                if image is not None and transition.image == image.name:
                    folder.write_image(image)
                if not known:
                    writer.write(transition)
                if not known and transition.step == 0 and config.memory is not None:
                    folder.keep_notes(env.episode.memory.texts)
            except OSError as error:
                raise _unwritable(folder, error) from error
            watch.on_transition(transition)

        outcome = rollout(
            kept,
            agent,
            seed=config.seed,
            limits=RolloutLimits(config.cost_limit, config.token_limit),
            on_transition=record,
            on_action=watch.on_action,
            log=tell,
            fallback=fallback,
            branching=found.spec.branching,
        )
        final = keep(outcome)
        folder.log(f"ended: {outcome.exit_reason}, {outcome.status}")
        _keep_workspace(env, folder)
    # It was there to go on from, and there is nothing to go on with.
    shutil.rmtree(folder.path / CHECKPOINT, ignore_errors=True)
    return folder, final, outcome


def _unwritable(folder: RunFolder, error: OSError) -> SandboxError:
    return SandboxError(f"the run cannot be recorded in {folder.path}: {error}")


def _keep_workspace(env: MLGymEnv, folder: RunFolder) -> None:
    """The final workspace, where it can still be had; its loss does not undo the score."""
    try:
        if env.laboratory.sandbox is not None:
            folder.write_workspace(env.laboratory.export_workspace(_WORKSPACE_MOST))
    except (OSError, SandboxError) as error:
        folder.log(f"the final workspace was not kept: {error}")
