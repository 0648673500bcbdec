"""Makes one run: environment, model and agent from a config, an episode, its record on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from mlgym.agent import Agent
from mlgym.agent_loader import FoundAgent, find_agent, make_agent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError
from mlgym.models.base import Model
from mlgym.models.facts import is_text_only
from mlgym.models.registry import ModelSettings, check_model, make_model
from mlgym.rollout import Outcome, RolloutLimits, rollout
from mlgym.runs.record import run_record
from mlgym.runs.store import TRAJECTORY, RunFolder, new_run
from mlgym.sandbox.base import MB
from mlgym.tools.aids import KeptNotes, Literature
from mlgym.tools.images import VIEW_IMAGE
from mlgym.tools.registry import tool_specs
from mlgym.trajectory import TrajectoryWriter
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
    return MLGymEnv(
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
        check_model(config.model, _settings(config, found), priced=priced)
    return found


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

    Raises:
        ConfigError: the agent or the model cannot be made, or the data has not been prepared: then
            no folder is left.
        SandboxError: the record itself cannot be written. Every other failure is in it.
    """
    folder = new_run(config.out, env.task.spec.id, config.agent)
    try:
        with folder.held():
            return _play(config, found, env, folder, on_transition, on_action, log)
    except ConfigError:
        folder.discard()
        raise
    except OSError as error:
        if not folder.has_record:
            folder.discard()
        raise _unwritable(folder, error) from error


def _play(
    config: RunConfig,
    found: FoundAgent,
    env: MLGymEnv,
    folder: RunFolder,
    on_transition: Callable[[Transition], None],
    on_action: Callable[[str], None],
    log: Log,
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    agent, fallback = _agents(config, found, env, folder)

    def tell(line: str) -> None:
        folder.log(line)
        log(line)

    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic()

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
        folder.write_record(record)
        return record

    keep(None)
    folder.log(f"began: {config.agent} on {config.task}, {env.profile} data, {env.sandbox_name}")
    with closing(env), TrajectoryWriter(folder.path / TRAJECTORY) as writer:

        def record(transition: Transition) -> None:
            image = env.episode.image
            try:
                if image is not None and transition.image == image.name:
                    folder.write_image(image)
                writer.write(transition)
                if transition.step == 0 and config.memory is not None:
                    folder.keep_notes(env.episode.memory.texts)
            except OSError as error:
                raise _unwritable(folder, error) from error
            on_transition(transition)

        outcome = rollout(
            env,
            agent,
            seed=config.seed,
            limits=RolloutLimits(config.cost_limit, config.token_limit),
            on_transition=record,
            on_action=on_action,
            log=tell,
            fallback=fallback,
            branching=found.spec.branching,
        )
        final = keep(outcome)
        folder.log(f"ended: {outcome.exit_reason}, {outcome.status}")
        _keep_workspace(env, folder)
    return folder, final, outcome


def _unwritable(folder: RunFolder, error: OSError) -> SandboxError:
    return SandboxError(f"the run cannot be recorded in {folder.path}: {error}")


def _agents(
    config: RunConfig, found: FoundAgent, env: MLGymEnv, folder: RunFolder
) -> tuple[Agent, Callable[[], Agent] | None]:
    spec = env.task.spec
    commands = {
        "baseline": spec.baseline.command if spec.baseline else None,
        "solution": spec.solution.command if spec.solution else None,
    }
    model = _model(config, found, folder)
    agent = make_agent(found, model=model, settings=config.settings, commands=commands)
    other = found.spec.fallback
    if other is None:
        return agent, None
    settings = found.spec.fallback_settings
    return agent, lambda: make_agent(
        find_agent(other), model=model, settings=settings, commands=commands
    )


def _model(config: RunConfig, found: FoundAgent, folder: RunFolder) -> Model | None:
    if config.model is None:
        return None
    return make_model(config.model, _settings(config, found), folder.log_model)


def _settings(config: RunConfig, found: FoundAgent) -> ModelSettings:
    """How the model is called: as the agent's spec says, but for what the config says."""
    given: dict[str, Any] = {
        "api_base": config.api_base,
        "temperature": config.temperature,
        "seed": config.seed,
        "price": config.price,
        "context_window": config.context_window,
        "fallbacks": config.fallbacks or None,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    return ModelSettings.make(**{**found.spec.model, **wanted})


def _keep_workspace(env: MLGymEnv, folder: RunFolder) -> None:
    """The final workspace, where it can still be had; its loss does not undo the score."""
    try:
        if env.laboratory.sandbox is not None:
            folder.write_workspace(env.laboratory.export_workspace(_WORKSPACE_MOST))
    except (OSError, SandboxError) as error:
        folder.log(f"the final workspace was not kept: {error}")
