"""What tools may use beyond the sandbox: notes that outlive an episode, a literature service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlgym.tools.literature import NAME, Literature, make_literature
from mlgym.tools.notes import KeptNotes, Notebook
from mlgym.tools.notes_file import NotesFile

__all__ = ["Aids", "KeptNotes", "Literature", "make_aids"]


@dataclass(frozen=True, slots=True)
class Aids:
    """One environment's. Nothing of it is opened before it is used."""

    kept: KeptNotes | None
    literature: Literature | None

    @property
    def missing(self) -> tuple[str, ...]:
        """The tools that no agent need be offered."""
        return () if self.literature is not None else (NAME,)

    def notebook(self) -> Notebook:
        """A new episode's notes. Raises ConfigError where those kept cannot be read."""
        return Notebook(tuple(self.kept.read()) if self.kept is not None else (), self.kept)


def make_aids(
    memory: str | Path | KeptNotes | None, literature: str | Literature | None, task: str
) -> Aids:
    """What the arguments of an environment stand for. Raises ConfigError."""
    kept = NotesFile(Path(memory), task) if isinstance(memory, str | Path) else memory
    return Aids(kept, make_literature(literature))
