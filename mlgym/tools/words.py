"""Tools whose text form is one line of words: a name and its arguments."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlgym.tools.base import ToolContext
from mlgym.tools.text import number, words_after
from mlgym.types import ToolResult, ToolSpec


@dataclass(frozen=True, slots=True)
class Word:
    """One argument: a text of one line, or a number of at least `least`, in errors `called` so."""

    name: str
    description: str
    is_number: bool = False
    required: bool = True
    least: int = 1
    called: str = "line number"

    def schema(self) -> dict[str, Any]:
        if self.is_number:
            return {"type": "integer", "minimum": self.least, "description": self.description}
        return {"type": "string", "pattern": r"^[^\n\0]*$", "description": self.description}


@dataclass(frozen=True, slots=True)
class WordTool:
    """A tool of one line, run by a function of its arguments and the context."""

    name: str
    description: str
    usage: str
    words: tuple[Word, ...]
    action: Callable[[Mapping[str, Any], ToolContext], ToolResult]

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(
            self.name,
            self.description,
            {
                "type": "object",
                "properties": {word.name: word.schema() for word in self.words},
                "required": [word.name for word in self.words if word.required],
                "additionalProperties": False,
            },
        )

    def parse(self, text: str) -> dict[str, Any]:
        least = sum(word.required for word in self.words)
        found = words_after(text, self.name, self.usage, least, len(self.words))
        arguments: dict[str, Any] = {}
        for word, value in zip(self.words, found, strict=False):
            if word.is_number:
                arguments[word.name] = number(value, self.name, self.usage, word.least, word.called)
            else:
                arguments[word.name] = value
        return arguments

    def render(self, arguments: Mapping[str, Any]) -> str:
        given = [arguments[word.name] for word in self.words if word.name in arguments]
        return " ".join([self.name, *(shlex.quote(str(value)) for value in given)])

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return self.action(arguments, context)
