"""Makes a run's agent with its model, which keeps in the run's folder what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlgym.agent import Agent
from mlgym.agent_loader import FoundAgent, find_agent, make_agent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.models.base import Model
from mlgym.models.pace import Pace
from mlgym.models.registry import ModelSettings, make_model
from mlgym.runs.remembering import REPLIES, RememberingModel
from mlgym.runs.store import CHECKPOINT, RunFolder


def make_agents(
    config: RunConfig, found: FoundAgent, env: MLGymEnv, folder: RunFolder, pace: Pace | None
) -> tuple[Agent, Callable[[], Agent] | None]:
    """The agent of a run, and what makes the one to go on with where its model takes no tools.

    Raises ConfigError: see `make_agent`, `make_model`.
    """
    spec = env.task.spec
    commands = {
        "baseline": spec.baseline.command if spec.baseline else None,
        "solution": spec.solution.command if spec.solution else None,
    }
    model = _model(config, found, folder, pace)
    agent = make_agent(found, model=model, settings=config.settings, commands=commands)
    other = found.spec.fallback
    if other is None:
        return agent, None
    settings = found.spec.fallback_settings
    return agent, lambda: make_agent(
        find_agent(other), model=model, settings=settings, commands=commands
    )


def _model(
    config: RunConfig, found: FoundAgent, folder: RunFolder, pace: Pace | None
) -> Model | None:
    if config.model is None:
        return None
    model = make_model(config.model, model_settings(config, found), folder.log_model, pace)
    return RememberingModel(model, folder.path / CHECKPOINT / REPLIES)


def model_settings(config: RunConfig, found: FoundAgent) -> ModelSettings:
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
