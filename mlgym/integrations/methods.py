"""A tool as a method, from which trainers make its schema: by name, type hints and docstring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from mlgym.types import ToolSpec

_TYPES: Mapping[str, Any] = {"string": str, "integer": int}


def method_of(spec: ToolSpec) -> Callable[..., str]:
    """A function for a class that has `_call(name, arguments)`, which gets what the model sends."""
    properties: Mapping[str, Mapping[str, Any]] = spec.parameters["properties"]

    # A model may send any argument: `action_of` says better than Python which of them is wrong.
    def call(self: Any, /, **given: Any) -> str:
        return self._call(spec.name, given)

    parameters = [Parameter("self", Parameter.POSITIONAL_ONLY)]
    told_of = [spec.description, "", "Args:"]
    for name, rules in sorted(properties.items(), key=lambda item: _optional(spec, item[0])):
        kind: Any = _TYPES[rules["type"]]
        free = _optional(spec, name)
        parameters.append(
            Parameter(
                name,
                Parameter.POSITIONAL_OR_KEYWORD,
                annotation=kind | None if free else kind,
                default=None if free else Parameter.empty,
            )
        )
        told_of.append(f"    {name}: {rules['description']}")
    call.__name__, call.__qualname__ = spec.name, f"MLGym.{spec.name}"
    call.__doc__ = "\n".join([*(told_of if properties else told_of[:1]), ""])
    call.__doc__ += "\nReturns:\n    What the sandbox answered.\n"
    call.__annotations__ = {one.name: one.annotation for one in parameters[1:]} | {"return": str}
    call.__signature__ = Signature(parameters, return_annotation=str)  # pyright: ignore[reportFunctionMemberAccess]
    return call


def _optional(spec: ToolSpec, name: str) -> bool:
    return name not in spec.parameters["required"]
