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
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlgym import catalog
from mlgym.agent import Agent
from mlgym.errors import ConfigError, TaskError
from mlgym.models.base import Model
from mlgym.task.document import read_document


class AgentSpec(BaseModel):
    """The fields of `agent.yaml`. Paths are relative to its folder.

    `class` is `file.py:Class`, or `pkg.module:Class` of an installed package. `tools` names the
    tools that the agent may call, all where absent. `settings` belong to the class, `model` to the
    model it is given. `fallback` is the agent to take where the model's server refuses tools.
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
        known = ", ".join(field.alias or name for name, field in AgentSpec.model_fields.items())
        lines: list[str] = []
        for found in error.errors(include_url=False):
            value, expected = repr(found["input"])[:200], found["msg"]
            if found["type"] == "extra_forbidden":
                value, expected = "an unknown field", f"one of {known}"
            elif found["type"] == "missing":
                value = "nothing"
            where = document.where(found["loc"])
            lines.append(f"{path}: {where}: found {value}, expected: {expected}")
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
    made = _class(found)
    offered: dict[str, Any] = {
        "model": model,
        "settings": {**spec.settings, **(settings or {})},
        "prompts": _prompts(found),
        "commands": dict(commands or {}),
    }
    taken = inspect.signature(made).parameters
    # A class without an agent.yaml says by its signature that it needs a model.
    asked = "model" in taken and taken["model"].default is inspect.Parameter.empty
    if model is None and (spec.needs_model or (found.folder is None and asked)):
        raise ConfigError(f"the agent {spec.name!r} needs a model: give one with --model")
    everything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    try:
        agent = made(**{key: value for key, value in offered.items() if everything or key in taken})
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"the agent {spec.name!r} cannot be made: {_told(error)}") from error
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


def _class(found: FoundAgent) -> Callable[..., Any]:
    where, _, name = found.spec.class_.partition(":")
    try:
        if found.folder is not None and where.endswith(".py"):
            module = _load_file(found.folder / where)
        else:
            module = _import(where)
    except Exception as error:  # the agent's own code: whatever it raises is its author's to see
        raise ConfigError(
            f"the agent {found.spec.name!r} cannot be loaded: {_told(error)}"
        ) from error
    made = getattr(module, name, None)
    if not inspect.isclass(made):
        raise ConfigError(
            f"the agent {found.spec.name!r}: class: found {found.spec.class_!r}, expected"
            f" {where}:<a class that it defines>"
        )
    return made


def _told(error: Exception) -> str:
    """File, line and message of an error: of the last line that is not a library's, if any."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: SyntaxError: {error.msg}"
    paths = sysconfig.get_paths()
    libraries = [paths["stdlib"], paths["purelib"], paths["platlib"], str(Path(__file__).parent)]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*libraries, "<frozen "))
    ]
    place = f"{own[-1].filename}, line {own[-1].lineno}: " if own else ""
    return f"{place}{type(error).__name__}: {error}"


def _import(name: str) -> ModuleType:
    # As `python -m` does, and last, so that nothing installed is hidden: own agents are often
    # a file in the folder one works in.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    return importlib.import_module(name)


def _load_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise ImportError(f"there is no file {path}")
    unique = f"mlgym_agent_{path.parent.name}_{abs(hash(path))}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name.
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module
