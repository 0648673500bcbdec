"""Every error MLGym raises on purpose, sorted by whose fault it is.

One rule each:

* what the *agent* does wrong never raises: it comes back as an observation;
* `ConfigError`: the person who called us asked for something that does not exist or cannot be;
* `TaskError`: the task's author made a mistake, loud and never scored as a zero;
* `SandboxError`: the infrastructure failed, so the episode is void and never scored;
* `SubmissionError`: what was submitted cannot be graded; the agent is told why;
* `ModelError`: the model's provider failed for good, after retries.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class MLGymError(Exception):
    """Root of all errors raised by MLGym itself."""


class ConfigError(MLGymError):
    """The caller's mistake: an unknown name, a bad value, a missing key. CLI exit code 2."""


class TaskError(MLGymError):
    """The task author's mistake: a broken spec, data script or grader. Never a score."""


class SandboxError(MLGymError):
    """The infrastructure's failure: no daemon, a lost container, a full host. CLI exit code 3."""


class SubmissionError(MLGymError):
    """The submission cannot be graded; the message says where and why, for the agent to read."""


class ModelError(MLGymError):
    """The model's provider failed for good: bad key, unknown model, retries used up."""


def unknown_name(kind: str, name: str, known: Iterable[str], command: str) -> ConfigError:
    """A `ConfigError` for a name that does not exist, with the nearest names and where to look."""
    near = get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return ConfigError(f"unknown {kind} {name!r}.{hint} `{command}` lists them.")
