"""Finds an agent by name, folder or import path, and makes it.

An agent's folder holds `agent.yaml` and what that names: a Python file with its class, prompt
templates. The class is called with those of these keyword arguments that it takes: `chat` (the
conversation with its model, see `mlgym.chat`), `model` (that alone), `settings`, `prompts`
(template sources by key), `commands` (the task's own `baseline` and `solution` commands) and
`make`, which makes another agent for it to ask (see `mlgym.inner`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlgym import catalog
from mlgym.agent import Agent
from mlgym.chat.chat import Chat, ContextKnobs
from mlgym.chat.policy import ContextPolicy, DropOldest, Summarise
from mlgym.errors import ConfigError, TaskError, unknown_name
from mlgym.inner import InnerAgent, MakeAgent
from mlgym.models.base import Model
from mlgym.plugin import load_class, told
from mlgym.task.document import read_document

_POLICIES: Mapping[str, type[ContextPolicy]] = {"drop_oldest": DropOldest, "summarise": Summarise}


class AgentSpec(BaseModel):
    """The fields of `agent.yaml`. Paths are relative to its folder.

    `class` is `file.py:Class`, or `pkg.module:Class` of an installed package. `tools` names the
    tools that the agent may call, all where absent. `settings` belong to the class, `model` to the
    model it is given, `context` to the conversation with it. `fallback` is the agent to take where
    the model's server refuses tools, with `fallback_settings` over its own. A `branching` agent may
    go back to earlier states of its episode (`Decision.goto`). An `interactive` one has the
    terminal for itself: no live view is drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    class_: str = Field(alias="class")
    prompts: Mapping[str, str] = Field(default_factory=dict[str, str])
    tools: tuple[str, ...] | None = None
    needs_model: bool = False
    needs_solution: bool = False
    branching: bool = False
    interactive: bool = False
    fallback: str | None = None
    fallback_settings: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    settings: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    model: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    context: ContextKnobs = ContextKnobs()


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
        module, _, name = wanted.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), name)):
            raise ConfigError(f"--agent {wanted}: expected pkg.module:Class")
        return FoundAgent(AgentSpec.model_validate({"name": wanted, "class": wanted}), None)
    if "/" in wanted or (Path(wanted) / "agent.yaml").is_file():
        folder = Path(wanted).resolve()
        if not (folder / "agent.yaml").is_file():
            raise ConfigError(f"{wanted}: holds no agent.yaml")
    else:
        folder = catalog.resolve("agents", wanted)
    return FoundAgent(read_spec(folder / "agent.yaml"), folder)


def read_spec(path: Path) -> AgentSpec:
    """The spec in an `agent.yaml`.

    Raises:
        ConfigError: names file, line, field, the value found and what was expected.
    """
    try:
        document = read_document(path)
    except TaskError as error:
        raise ConfigError(str(error)) from None
    try:
        return AgentSpec.model_validate(document.content)
    except ValidationError as error:
        lines: list[str] = []
        for found in error.errors(include_url=False):
            value, expected = repr(found["input"])[:200], found["msg"]
            if found["type"] == "extra_forbidden":
                value, expected = "an unknown field", f"one of {_fields(found['loc'])}"
            elif found["type"] == "missing":
                value = "nothing"
            where = document.where(found["loc"])
            lines.append(f"{path}: {where}: found {value}, expected: {expected}")
        raise ConfigError("\n".join(lines)) from None


def _fields(place: tuple[int | str, ...]) -> str:
    """The names of the fields that there are beside the one at `place`."""
    model = ContextKnobs if place[0] == "context" and len(place) > 1 else AgentSpec
    return ", ".join(field.alias or name for name, field in model.model_fields.items())


def make_agent(
    found: FoundAgent,
    *,
    model: Model | None = None,
    settings: Mapping[str, Any] | None = None,
    commands: Mapping[str, str | None] | None = None,
) -> Agent:
    """An instance of the agent; `settings` override those of its spec, their key `context` its.

    Raises:
        ConfigError: its class cannot be loaded or made, or it needs a model and has none.
    """
    spec = found.spec
    given = dict(settings or {})
    knobs = _knobs(spec, given.pop("context", {}))
    policy = _policy(found, knobs)
    made = load_class(f"the agent {spec.name!r}", spec.class_, found.folder)
    offered: dict[str, Any] = {
        "model": model,
        "chat": None if model is None else Chat(model, policy, knobs),
        "settings": {**spec.settings, **given},
        "prompts": _prompts(found),
        "commands": dict(commands or {}),
        "make": _maker(model, commands),
    }
    taken = inspect.signature(made).parameters
    if model is None and (spec.needs_model or (found.folder is None and _asks_for_model(made))):
        raise ConfigError(f"the agent {spec.name!r} needs a model: give one with --model")
    everything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    try:
        agent = made(**{key: value for key, value in offered.items() if everything or key in taken})
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"the agent {spec.name!r} cannot be made: {told(error)}") from error
    for method in ("reset", "act"):
        if not callable(getattr(agent, method, None)):
            raise ConfigError(f"the agent {spec.name!r} has no method {method}()")
    return cast(Agent, agent)


def takes_model(found: FoundAgent) -> bool:
    """Whether the agent is to be played on a model: its spec says so, or without one its class.

    Raises:
        ConfigError: its class cannot be loaded.
    """
    if found.folder is not None:
        return found.spec.needs_model
    return _asks_for_model(load_class(f"the agent {found.spec.name!r}", found.spec.class_, None))


def _asks_for_model(made: Callable[..., Any]) -> bool:
    """A class without an agent.yaml says by its signature that it needs a model."""
    taken = inspect.signature(made).parameters
    return any(
        name in taken and taken[name].default is inspect.Parameter.empty
        for name in ("model", "chat")
    )


def _maker(model: Model | None, commands: Mapping[str, str | None] | None) -> MakeAgent:
    def make(wanted: str, settings: Mapping[str, Any] | None = None) -> InnerAgent:
        found = find_agent(wanted)
        if found.spec.branching:
            raise ConfigError(
                f"the agent {wanted!r} branches by itself: it cannot be inside another"
            )
        agent = make_agent(found, model=model, settings=settings, commands=commands)
        return InnerAgent(agent, found.spec.tools, (model,))

    return make


def _knobs(spec: AgentSpec, given: Mapping[str, Any]) -> ContextKnobs:
    try:
        return ContextKnobs.model_validate({**spec.context.model_dump(), **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"context.{name} of {spec.name}: found {first['input']!r:.200}, expected:"
            f" {first['msg']}"
        ) from None


def _policy(found: FoundAgent, knobs: ContextKnobs) -> ContextPolicy:
    name, owner = knobs.policy, f"the context policy of {found.spec.name!r}"
    made: Any = _POLICIES.get(name)
    if made is None and ":" not in name:
        raise unknown_name("context policy", name, _POLICIES, "mlgym agents list")
    if made is None:
        made = load_class(owner, name, found.folder, "context.policy")
    try:
        policy = made(**knobs.options)
    except Exception as error:
        raise ConfigError(f"{owner} cannot be made: {told(error)}") from error
    if not callable(getattr(policy, "shorten", None)):
        raise ConfigError(f"{owner} has no method shorten()")
    return policy


def _prompts(found: FoundAgent) -> dict[str, str]:
    prompts: dict[str, str] = {}
    for key, name in found.spec.prompts.items():
        path = (found.folder or Path()) / name
        try:
            prompts[key] = path.read_text("utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: prompts.{key} of {found.spec.name}: {error}") from error
    return prompts
