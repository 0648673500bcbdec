"""What an agent remembers: its own notes in order, and which of them answer a query best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

MOST_NOTES = 500
LONGEST_NOTE = 4000
"""In characters."""
_WORD = re.compile(r"[^\W_]+")

Added = Literal["new", "known", "full"]


class KeptNotes(Protocol):
    """Where notes outlive the episode. Oldest first."""

    def read(self) -> Sequence[str]: ...

    def add(self, text: str) -> None: ...


class _Ranking(Protocol):
    """What is used of `rank_bm25`, which brings no types."""

    def get_scores(self, query: Sequence[str]) -> Sequence[float]: ...


@dataclass(slots=True)
class Notebook:
    """One episode's notes, oldest first, no two alike. New ones go to `kept` too, if there is one.

    `texts` is all that a snapshot needs: what `kept` holds is read once, at the start.
    """

    texts: tuple[str, ...] = ()
    kept: KeptNotes | None = None

    def add(self, text: str) -> Added:
        """Keep a note. Where that makes too many the oldest is forgotten ("full").

        Raises SandboxError where it cannot be kept beyond the episode.
        """
        if text in self.texts:
            return "known"
        if self.kept is not None:
            self.kept.add(text)
        full = len(self.texts) >= MOST_NOTES
        self.texts = (*self.texts, text)[-MOST_NOTES:]
        return "full" if full else "new"

    def latest(self, limit: int) -> list[str]:
        """The newest notes, the newest first."""
        return list(reversed(self.texts[-limit:]))

    def best(self, query: str, limit: int) -> list[str]:
        """The notes that share a word with the query, best first by BM25+; of equals the newest."""
        asked = set(_words(query))
        notes = [_words(text) for text in self.texts]
        hits = [index for index, words in enumerate(notes) if asked.intersection(words)]
        if not hits:
            return []
        scores = _ranking(notes).get_scores(sorted(asked))
        hits.sort(key=lambda index: (-scores[index], -index))
        return [self.texts[index] for index in hits[:limit]]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _ranking(notes: Sequence[Sequence[str]]) -> _Ranking:
    # Not at the top: most episodes never ask. BM25+ because plain BM25 gives a word that half of
    # the notes hold no weight, and few notes are the rule here.
    from rank_bm25 import BM25Plus  # pyright: ignore[reportMissingTypeStubs]

    return cast(_Ranking, BM25Plus(notes))
