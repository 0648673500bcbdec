"""All tools, and the two languages in which they are called: text and JSON.

A text whose first word is a tool's name is that tool's call; every other text is `bash(command)`.
The prefix `command ` forces the shell where a command would read as a tool's call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mlgym.errors import unknown_name
from mlgym.tools import editor, grade, images, literature, memory, search, viewer
from mlgym.tools.base import ActionError, Tool, ToolContext
from mlgym.tools.shell import Shell
from mlgym.tools.text import MOST_DIGITS, beginning_with, whole_lines
from mlgym.types import ToolCall, ToolResult, ToolSpec

TOOLS: tuple[Tool, ...] = (
    Shell(),
    *viewer.TOOLS,
    *editor.TOOLS,
    *search.TOOLS,
    *memory.TOOLS,
    *literature.TOOLS,
    *images.TOOLS,
    *grade.TOOLS,
)
_BY_NAME = {tool.spec.name: tool for tool in TOOLS}
_CALL = beginning_with(name for name in _BY_NAME if name != "bash")
_FORCED = "command "
_DIGITS = rf"\s*\d{{1,{MOST_DIGITS}}}\s*"


def tool_specs(
    names: Sequence[str] | None = None, *, without: Sequence[str] = ()
) -> tuple[ToolSpec, ...]:
    """The schemas of the named tools, of all where None; never of those in `without`.

    Raises:
        ConfigError: a name that is no tool's.
    """
    for name in names or ():
        if name not in _BY_NAME:
            raise unknown_name("tool", name, _BY_NAME, "mlgym agents list")
    found = (tool.spec for tool in TOOLS if names is None or tool.spec.name in names)
    return tuple(spec for spec in found if spec.name not in without)


def parse_action(text: str) -> ToolCall:
    """The call that an action stands for.

    Raises:
        ActionError: it begins with a tool's name and is no call of it; says what to send.
    """
    found = _CALL.match(text)
    if found is not None:
        whole = text.strip(" \t\n") if "\n" not in text else text
        return ToolCall(found[1], _BY_NAME[found[1]].parse(whole))
    if text.startswith(_FORCED) and _reads_as_call(text[len(_FORCED) :]):
        text = text[len(_FORCED) :]
    return ToolCall("bash", {"command": text})


def render_call(call: ToolCall) -> str:
    """The text form of a call, which `parse_action` reads back as the same call."""
    text = _BY_NAME[call.name].render(call.arguments)
    return _FORCED + text if call.name == "bash" and _reads_as_call(text) else text


def action_of(name: str, arguments: str | Mapping[str, Any]) -> str:
    """The action that a model's function call stands for. Raises ActionError as `from_json`."""
    return render_call(from_json(name, arguments))


def _reads_as_call(text: str) -> bool:
    """Whether a shell command must be prefixed in order to be one."""
    while text.startswith(_FORCED):
        text = text[len(_FORCED) :]
    return _CALL.match(text) is not None


def from_json(name: str, arguments: str | Mapping[str, Any]) -> ToolCall:
    """The call in a model's function-call form; `arguments` is an object or its JSON text.

    Raises:
        ActionError: an unknown tool, broken JSON, or a parameter that is unknown, missing or of
            the wrong type; says which.
    """
    if name not in _BY_NAME:
        near = get_close_matches(name, list(_BY_NAME), n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ActionError(f"There is no tool {name!r}.{hint} Tools: {', '.join(_BY_NAME)}.")
    given = _object(name, arguments)
    schema = _BY_NAME[name].spec.parameters
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    for key in given:
        if key not in properties:
            known = ", ".join(properties) or "none"
            raise ActionError(f"{name} has no parameter {key!r}; it has: {known}.")
    for key in schema["required"]:
        if key not in given:
            raise ActionError(f"{name} needs the parameter {key!r}.")
    checked = {
        key: _value(name, key, given[key], rules)
        for key, rules in properties.items()
        if key in given and not (given[key] is None and key not in schema["required"])
    }
    if name in ("edit", "insert"):
        checked["text"] = whole_lines(checked["text"])
    return ToolCall(name, checked)


def _object(name: str, arguments: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(arguments, str):
        return arguments
    try:
        # strict=False: models write raw newlines into strings.
        found = json.loads(arguments or "{}", strict=False)
    except (ValueError, RecursionError) as error:
        raise ActionError(f"The arguments of {name} are no valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ActionError(f"The arguments of {name} must be a JSON object.")
    return {str(key): value for key, value in found.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _value(name: str, key: str, value: Any, rules: Mapping[str, Any]) -> Any:
    if rules["type"] == "integer":
        if isinstance(value, str) and re.fullmatch(_DIGITS, value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < rules["minimum"]:
            raise ActionError(
                f"{name}: {key} must be an integer of at least {rules['minimum']}, not {value!r}."
            )
        return value
    if not isinstance(value, str):
        raise ActionError(f"{name}: {key} must be a string, not {value!r:.200}.")
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        raise ActionError(f"{name}: {key} must be a single line, not {value!r:.200}.")
    return value


def run_call(call: ToolCall, context: ToolContext) -> ToolResult:
    """Run a call. What the agent did wrong comes back as text; `SandboxError` passes."""
    try:
        return _BY_NAME[call.name].run(call.arguments, context)
    except ActionError as error:
        return ToolResult(f"{error}\n")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return ToolResult(f"{call.name}: {where}{error.strerror or error}\n")
