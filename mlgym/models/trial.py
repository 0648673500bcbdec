"""One real round trip with a model: a function call, its result, and what the model makes of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from mlgym.models.base import Message, Model, Reply, ToolsUnsupportedError
from mlgym.types import ToolSpec, Usage

KEEPER = ToolSpec(
    "look_up",
    "The code word that is kept under a name.",
    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)
NAME, WORD = "harbour", "heron-4821"
_ASKED = (
    f"Find the code word that is kept under the name {NAME!r}: call the tool look_up. Then answer"
    " with the code word alone."
)
_PLAIN = "Answer with one word: what is the capital of France?"

Tools = Literal["work", "unused", "none"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a round trip came to.

    `tools`: "work" where the call came with good arguments, "unused" where the model answered
    without, "none" where it or its server takes no tools. `understood`: the last reply says what
    the tool told (in a trial without tools: it says anything). `seconds` are those of each request.
    """

    tools: Tools
    understood: bool
    text: str
    usage: Usage
    seconds: tuple[float, ...] = field(default_factory=tuple[float, ...])


def try_model(model: Model) -> Trial:
    """Ask `model` for a function call and hand it the result: two requests, one without tools.

    Raises:
        ModelError: see `Model.complete`.
    """
    asked: list[Message] = [{"role": "user", "content": _ASKED}]
    began = time.monotonic()
    try:
        first = model.complete(asked, (KEEPER,))
    except ToolsUnsupportedError:
        return _plainly(model)
    seconds = time.monotonic() - began
    if not first.tool_calls:
        return Trial("unused", False, first.text, first.usage, (seconds,))
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": _answer(call.name, call.arguments)}
        for call in first.tool_calls
    ]
    began = time.monotonic()
    second = model.complete([*asked, first.message, *results], (KEEPER,))
    both = (seconds, time.monotonic() - began)
    tools: Tools = "work" if any(result["content"] == WORD for result in results) else "unused"
    usage = first.usage + second.usage
    return Trial(tools, WORD in second.text, second.text, usage, both)


def _plainly(model: Model) -> Trial:
    began = time.monotonic()
    reply: Reply = model.complete([{"role": "user", "content": _PLAIN}])
    seconds = time.monotonic() - began
    return Trial("none", bool(reply.text.strip()), reply.text, reply.usage, (seconds,))


def _answer(name: str, arguments: str) -> str:
    """What the tool tells: the word, or what is wrong with the call."""
    try:
        given: Any = json.loads(arguments)
    except ValueError as error:
        return f"these arguments are no JSON: {error}"
    if name != KEEPER.name or not isinstance(given, dict):
        return f"there is no such call: {name}({arguments})"
    wanted = cast("dict[str, Any]", given).get("name")
    return WORD if str(wanted).strip().lower() == NAME else f"nothing is kept under {wanted!r}"
