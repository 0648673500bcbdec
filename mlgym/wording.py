"""The sentences of the environment's observations."""

from __future__ import annotations

from collections.abc import Collection

from mlgym.judge import Ending
from mlgym.spaces import Unicode
from mlgym.types import ExitReason, Score

OBSERVATIONS = Unicode(1 << 22)
ACTIONS = Unicode(1 << 20)
ENDED = "The episode is over ("

_SOURCES = {
    "submitted": "The submission was graded on the test split.",
    "best_validated": "The best validated submission was graded on the test split.",
    "last_workspace": "The submission found in the workspace was graded on the test split.",
}


def figures(score: Score) -> str:
    """A graded submission's metrics, the primary first."""
    names = [score.primary, *(name for name in score.metrics if name != score.primary)]
    listed = ", ".join(f"{name}: {score.metrics[name]:.6g}" for name in names)
    return f"{score.split} {listed}"


def validation(score: Score, best: Score, baseline: float) -> str:
    """What `validate` answers: the metrics, the baseline, the best so far."""
    name = score.primary
    return (
        f"{figures(score)}\n"
        f"baseline {name}: {baseline:.6g}\n"
        f"best validation {name} so far: {best.metrics[name]:.6g}\n"
    )


def ending(reason: ExitReason, judged: Ending) -> str:
    """What the last observation says of how the episode ended."""
    words = f"{ENDED}{reason})."
    if judged.score is None:
        return f"{words} No score: {judged.why_unscored}.\n".replace("..\n", ".\n")
    return f"{words} {_SOURCES[judged.score.source]}\n{figures(judged.score)}\n"


def refused_action(action: object) -> str:
    """Why an action is no text that can be run."""
    if not isinstance(action, str):
        return f"An action is a text, not {type(action).__name__}; nothing was run.\n"
    if len(action) > ACTIONS.max_length:
        return (
            f"The action has {len(action)} characters, more than {ACTIONS.max_length}:"
            " nothing was run. Write large files in parts.\n"
        )
    return "The action holds characters that UTF-8 cannot encode: nothing was run.\n"


def masked(tool: str, allowed: Collection[str]) -> str:
    """That a tool may not be called now, and which may."""
    names = ", ".join(sorted(allowed)) or "none"
    return f"The tool {tool} is masked now; nothing was run. Allowed now: {names}.\n"


def bounded(text: str) -> str:
    """`text` as a valid observation: encodable, and of at most `OBSERVATIONS.max_length`."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= OBSERVATIONS.max_length else text[: OBSERVATIONS.max_length]
