"""Finds an agent by name, folder or import path, and makes it.

An agent's folder holds `agent.yaml` and what that names: a Python file with its class, prompt
templates. The class is called with those of these keyword arguments that it takes: `model`,
`settings`, `prompts` (template sources by key) and `commands` (the task's own `baseline` and
`solution` commands).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlgym import catalog
from mlgym.agent import Agent
from mlgym.errors import ConfigError
from mlgym.models.base import Model


class AgentSpec(BaseModel):
    """The fields of `agent.yaml`. Paths are relative to its folder.

    `class` is `file.py:Class`. `tools` names the tools the agent may call, all where absent.
    `settings` belong to the class, `model` to the model it is given. `fallback` is the agent to
    take where the model's server refuses tools.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    class_: str = Field(alias="class")
    prompts: Mapping[str, str] = Field(default_factory=dict[str, str])
    tools: tuple[str, ...] | None = None
    needs_model: bool = False
    needs_solution: bool = False
    fallback: str | None = None
    settings: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    model: Mapping[str, Any] = Field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """An agent's spec, and the folder it lies in (None for an importable class)."""

    spec: AgentSpec
    folder: Path | None


def find_agent(wanted: str) -> FoundAgent:
    """The agent of that name, in that folder, or at that import path `pkg.module:Class`.

    Raises:
        ConfigError: there is none, or its `agent.yaml` is broken.
    """
    if ":" in wanted and "/" not in wanted:
        return FoundAgent(AgentSpec.model_validate({"name": wanted, "class": wanted}), None)
    if "/" in wanted or (Path(wanted) / "agent.yaml").is_file():
        folder = Path(wanted).resolve()
        if not (folder / "agent.yaml").is_file():
            raise ConfigError(f"{wanted}: holds no agent.yaml")
    else:
        folder = catalog.resolve("agents", wanted)
    return FoundAgent(read_spec(folder / "agent.yaml"), folder)


def read_spec(path: Path) -> AgentSpec:
    """The spec in an `agent.yaml`. Raises ConfigError naming file, field, value and expectation."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return AgentSpec.model_validate(content)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, found['loc']))}: found {found['input']!r:.200},"
            f" expected: {found['msg']}"
            for found in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None


def make_agent(
    found: FoundAgent,
    *,
    model: Model | None = None,
    settings: Mapping[str, Any] | None = None,
    commands: Mapping[str, str | None] | None = None,
) -> Agent:
    """An instance of the agent; `settings` override those of its spec.

    Raises:
        ConfigError: its class cannot be loaded or made, or it needs a model and has none.
    """
    spec = found.spec
    if spec.needs_model and model is None:
        raise ConfigError(f"the agent {spec.name!r} needs a model: give one with --model")
    made = _class(found)
    offered: dict[str, Any] = {
        "model": model,
        "settings": {**spec.settings, **(settings or {})},
        "prompts": _prompts(found),
        "commands": dict(commands or {}),
    }
    taken = inspect.signature(made).parameters
    everything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    try:
        agent = made(**{key: value for key, value in offered.items() if everything or key in taken})
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"the agent {spec.name!r} cannot be made: {error}") from error
    for method in ("reset", "act"):
        if not callable(getattr(agent, method, None)):
            raise ConfigError(f"the agent {spec.name!r} has no method {method}()")
    return cast(Agent, agent)


def _prompts(found: FoundAgent) -> dict[str, str]:
    prompts: dict[str, str] = {}
    for key, name in found.spec.prompts.items():
        path = (found.folder or Path()) / name
        try:
            prompts[key] = path.read_text("utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: prompts.{key} of {found.spec.name}: {error}") from error
    return prompts


def _class(found: FoundAgent) -> type[Any]:
    where, _, name = found.spec.class_.partition(":")
    try:
        module = _load_file(found, where) if found.folder else importlib.import_module(where)
    except Exception as error:  # the agent's own code: whatever it raises is its author's to see
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"the agent {found.spec.name!r} cannot be loaded: {place.filename}, line"
            f" {place.lineno}: {type(error).__name__}: {error}"
        ) from error
    made = getattr(module, name, None)
    if not inspect.isclass(made):
        raise ConfigError(f"{found.spec.class_}: {where} has no class {name!r}")
    return made


def _load_file(found: FoundAgent, name: str) -> ModuleType:
    folder = found.folder or Path()
    unique = f"mlgym_agent_{found.spec.name}_{abs(hash(folder))}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, folder / name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module
