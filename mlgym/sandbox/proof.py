"""Whether a sandbox that was reset is as clean as a new one of its kind.

Where the host sees the sandbox's processes it looks for itself, from outside: at what runs, at the
limits of the shell, at every file, through the root that `/proc` shows. The guest, whose words are
not trusted, has no part in that. Where it sees nothing (a daemon elsewhere, or another user's) a
program looks from inside, as the agent's user, and the guest passes its words on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgym.errors import SandboxError
from mlgym.sandbox import survey
from mlgym.sandbox.base import Sandbox
from mlgym.sandbox.guest_sandbox import GuestSandbox

_ANSWER_S = 30.0
_MOST_TEXT = 64 << 20
_MOST_FILES, _MOST_BYTES = 1_000_000, 1 << 50


@dataclass(frozen=True, slots=True)
class Looks:
    """What a look at an idle sandbox found: lines, and the number of its cores."""

    lines: tuple[str, ...]
    cores: int


def look(sandbox: Sandbox, like: Looks | None = None) -> Looks:
    """What the sandbox is like now, when nothing but its shell may run.

    No more is looked at than was found in `like`: whatever an agent left must cost no time.

    Raises:
        SandboxError: it does not answer, or not as one that was reset.
    """
    # First of all its shell must have begun: what it was given is seen at it.
    said = sandbox.run("true", _ANSWER_S)
    if (said.exit_code, said.output) != (0, ""):
        raise SandboxError(f"its shell answers {said.output[:200]!r}, status {said.exit_code}")
    most = len(like.lines) if like else _MOST_FILES
    found = _from_outside(sandbox, most)
    return _looks(_from_inside(sandbox, most) if found is None else found)


def difference(clean: Looks, found: Looks) -> str | None:
    """The first thing that is not as it was in a clean one, None where all is."""
    if found.cores > clean.cores:
        return f"it may run on {found.cores} cores, expected {clean.cores}"
    for wanted, there in zip(clean.lines, found.lines, strict=False):
        if wanted != there:
            return f"found {there!r}, expected {wanted!r}"
    if len(clean.lines) != len(found.lines):
        longer = max(clean.lines, found.lines, key=len)
        one_more = longer[min(len(clean.lines), len(found.lines))]
        return f"{'found' if longer is found.lines else 'missing'}: {one_more!r}"
    return None


def _from_outside(sandbox: Sandbox, most: int) -> Mapping[str, Any] | None:
    """What this process sees with its own eyes, None where it sees nothing."""
    pids = sandbox.pids() if isinstance(sandbox, GuestSandbox) else []
    if len(pids) < 2:
        return None
    # A clean one is a chain, of which the guest and its shell are the end.
    guest, shell = pids[-2:]
    try:
        return survey.survey(f"/proc/{guest}/root", str(shell), len(pids), most, _MOST_BYTES)
    except PermissionError:
        return None
    except OSError as error:
        raise SandboxError(f"it cannot be looked at: {error}") from error


def _from_inside(sandbox: Sandbox, most: int) -> Mapping[str, Any]:
    program = Path(survey.__file__).read_text("utf-8")
    channel = sandbox.open(["python3", "-I", "-S", "-c", program, str(most), str(_MOST_BYTES)])
    said = bytearray()
    try:
        while len(said) <= _MOST_TEXT and (piece := channel.recv(_ANSWER_S)):
            said += piece
        found: Any = json.loads(said)
    except (TimeoutError, ValueError) as error:
        words = channel.stderr.strip()[-500:]
        raise SandboxError(f"it cannot be looked at from inside: {error}; {words}") from error
    finally:
        channel.kill()
    return found


def _looks(found: Mapping[str, Any]) -> Looks:
    try:
        return Looks(tuple(map(str, found["lines"])), int(found["cores"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SandboxError(f"what was seen inside makes no sense: {error!r}") from error
