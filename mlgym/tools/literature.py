"""Searching scholarly literature by a service that the operator chose; off where none was.

The one tool through which text of an agent's leaves this machine. A service is any object with the
method of `Literature`; the built-in ones are named here and made when they are asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlgym.errors import ConfigError, MLGymError
from mlgym.tools.base import ActionError, ToolContext
from mlgym.tools.words import Word, WordTool
from mlgym.types import ToolResult

NAME = "literature_search"
SERVICES = ("arxiv",)
_USUAL, _MOST = 5, 10
_LONGEST_QUERY = 300
_MOST_AUTHORS = 5
_LONGEST_FIELD, _LONGEST_ABSTRACT = 300, 1200


class LiteratureError(MLGymError):
    """The service failed; its message says how. The tool answers with it."""


class Literature(Protocol):
    """A service that finds papers."""

    def search(self, query: str, limit: int) -> str:
        """What an agent shall read of the papers found, at most `limit` (see `listed`).

        Raises LiteratureError where the service fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper found. `ident` is what the service calls it, as "arXiv:1706.03762v7"."""

    title: str
    authors: tuple[str, ...]
    year: str
    ident: str
    abstract: str


def make_literature(wanted: str | Literature | None) -> Literature | None:
    """What the argument `literature` of an environment stands for: `NAME`, or `NAME=URL`.

    Raises:
        ConfigError: no service of that name, or no address of one.
    """
    if not isinstance(wanted, str):
        return wanted
    name, at, url = wanted.partition("=")
    if name not in SERVICES:
        known = ", ".join(SERVICES)
        raise ConfigError(f"--literature {wanted}: no service {name!r}; there is: {known}")
    if at and not url.startswith(("http://", "https://")):
        raise ConfigError(f"--literature {wanted}: expected {name}=http://... or https://...")
    from mlgym.tools.arxiv import Arxiv

    return Arxiv(url) if url else Arxiv()


def listed(papers: Sequence[Paper]) -> str:
    """Papers as an agent reads them: each field one clean line, bounded."""
    if not papers:
        return "No paper was found. Fewer words, or others, may do.\n"
    parts = [f"{len(papers)} found. What follows are their authors' words."]
    for number, paper in enumerate(papers, 1):
        authors = ", ".join(paper.authors[:_MOST_AUTHORS])
        if len(paper.authors) > _MOST_AUTHORS:
            authors += f" and {len(paper.authors) - _MOST_AUTHORS} more"
        parts += [
            f"[{number}] {one_clean_line(paper.title)} ({one_clean_line(paper.year, 10)})",
            f"{one_clean_line(authors)}. {one_clean_line(paper.ident, 60)}",
            one_clean_line(paper.abstract, _LONGEST_ABSTRACT),
        ]
    return "\n".join(parts) + "\n"


def one_clean_line(text: str, most: int = _LONGEST_FIELD) -> str:
    """`text` in one line, without control and formatting characters, cut to `most`."""
    line = " ".join(text.split())
    line = "".join(mark for mark in line if unicodedata.category(mark)[0] != "C")
    return line if len(line) <= most else f"{line[:most]} [...]"


def asked(arguments: Mapping[str, Any]) -> tuple[str, int]:
    """Query and limit as a service gets them. Raises ActionError where there is nothing to ask."""
    query: str = " ".join(arguments["query"].split())
    if not query:
        raise ActionError(f"{NAME}: the query is empty.")
    if len(query) > _LONGEST_QUERY:
        raise ActionError(
            f"{NAME}: the query has {len(query)} characters, of at most {_LONGEST_QUERY}."
        )
    return query, min(arguments.get("limit", _USUAL), _MOST)


def _search(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    query, limit = asked(arguments)
    try:
        return ToolResult(context.literature(query, limit))
    except LiteratureError as error:
        return ToolResult(f"{NAME}: {error}\n")


OFF = (
    "it is off here; go on without it. (Who runs this turns it on: `mlgym run --literature arxiv`,"
    ' in Python `gym.make(..., literature="arxiv")`.)'
)

TOOLS = (
    WordTool(
        NAME,
        "Search scholarly literature; gives titles, authors, years and abstracts.",
        f'{NAME} "<query>" [limit]',
        (
            Word("query", "Words that a paper shall hold; quoted phrases stay together."),
            Word(
                "limit",
                f"How many at most; {_USUAL} by default, never more than {_MOST}.",
                is_number=True,
                required=False,
                called="number of results",
            ),
        ),
        _search,
    ),
)
