"""The environment in which a recorded run is played again: it adds to no memory and asks nobody.

What the run's memory held at its start lies in its folder; what a literature service answered
stands in its trajectory.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlgym.agent_loader import FoundAgent
from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.runs.single import make_env
from mlgym.runs.store import RunFolder
from mlgym.tools.base import ActionError
from mlgym.tools.literature import NAME, LiteratureError, asked
from mlgym.tools.notes import KeptNotes
from mlgym.tools.registry import parse_action
from mlgym.types import Transition
from mlgym.wording import ENDED


def make_env_again(
    config: RunConfig, found: FoundAgent, folder: RunFolder, recorded: Sequence[Transition]
) -> MLGymEnv:
    """As `make_env`. Raises ConfigError where the run's memory cannot be read."""
    notes = RecordedNotes(tuple(folder.notes()))
    return make_env(config, found, notes, RecordedAnswers(recorded))


@dataclass(frozen=True, slots=True)
class RecordedNotes:
    """See `mlgym.tools.notes.KeptNotes`: what a run's memory held at its start.

    New notes go to `kept`; where it is None they are kept in the episode alone.
    """

    texts: tuple[str, ...]
    kept: KeptNotes | None = None

    def read(self) -> Sequence[str]:
        return self.texts

    def add(self, text: str) -> None:
        if self.kept is not None:
            self.kept.add(text)


class RecordedAnswers:
    """See `mlgym.tools.literature.Literature`. The same question gets its answers in order."""

    def __init__(self, recorded: Iterable[Transition]) -> None:
        self._answers: defaultdict[tuple[str, int], deque[str]] = defaultdict(deque)
        for transition in recorded:
            if transition.tool != NAME or transition.action is None:
                continue
            try:
                question = asked(parse_action(transition.action).arguments)
            except (ActionError, KeyError):
                continue
            text = transition.observation
            # Of the last step, only what the tool said.
            answer = text.rpartition(ENDED)[0] if transition.truncated else text
            self._answers[question].append(answer)

    def search(self, query: str, limit: int) -> str:
        answers = self._answers[query, limit]
        if not answers:
            raise LiteratureError("a replay asks nobody, and the run that it repeats did not ask.")
        return answers.popleft()
