"""Measures processor time in sandboxes: what a crowded machine does not change.

PID 1 inside is MLGym's own; the kernel counts for it the time of all that it has seen ending. What
the shell's own commands took is in the shell's account.
"""

from __future__ import annotations

import re

from mlgym.errors import SandboxError
from mlgym.sandbox.base import Backend, Sandbox, SandboxSpec

_COMMAND = "cat /proc/1/stat; getconf CLK_TCK; times"
_CHILDREN = slice(13, 15)  # cutime and cstime among the fields after the command's name
_TIMES = re.compile(r"(\d+)m([\d.]+)s")
_ASK_S = 10.0


def processor_s(sandbox: Sandbox) -> float | None:
    """User and system time in seconds of all that has ended in the sandbox; None where unknown.

    Raises SandboxError: the sandbox is lost.
    """
    first, _, rest = sandbox.run(_COMMAND, _ASK_S).output.partition("\n")
    ticks, _, shell = rest.partition("\n")
    try:
        fields = first.rpartition(")")[2].split()
        reaped = sum(map(int, fields[_CHILDREN])) / int(ticks)
    except (ValueError, ZeroDivisionError):
        return None
    return reaped + sum(60 * int(whole) + float(part) for whole, part in _TIMES.findall(shell))


class Meter:
    """A backend that adds up the processor time of the sandboxes it started."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._started: list[Sandbox] = []

    def __call__(self, spec: SandboxSpec) -> Sandbox:
        sandbox = self._backend(spec)
        self._started.append(sandbox)
        return sandbox

    def processor_s(self) -> float | None:
        """Seconds of those that are still open, None where one of them does not tell."""
        found = [_or_none(sandbox) for sandbox in self._started]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) if len(known) == len(found) else None


def _or_none(sandbox: Sandbox) -> float | None:
    try:
        return processor_s(sandbox)
    except SandboxError:
        return None
