"""Warm graders that environments share: a grading waits for a free one.

An environment validates once in a while, and a grader holds one or two sandboxes. So many
environments share a few graders, each of which is clean again before it is free. Within a strand
only that strand waits.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.waiting import wait_readable
from mlgym.task.grading import Grader
from mlgym.task.submission import Files
from mlgym.types import Split

_EVER = float("inf")


class Grades(Protocol):
    """What can grade submissions of one task, on one preparation of its data."""

    def grade(self, files: Files, split: Split) -> dict[str, float]:
        """See `Grader.grade`."""
        ...


class Graders:
    """At most `most` graders at once, of any tasks: as many as there are cores where it is None.

    A context manager. Graders are made when they are needed, and kept; where all places are taken,
    one of another task's that has nothing to do makes room. Who waits is served in the order of
    asking. May be shared between threads. Raises ConfigError: `most` is below 1.
    """

    def __init__(self, most: int | None = None) -> None:
        if most is not None and most < 1:
            raise ConfigError(f"graders: found {most}, expected at least 1")
        self.most = len(os.sched_getaffinity(0)) if most is None else most
        self._lock = threading.Lock()
        self._free = self.most
        self._waiting: deque[int] = deque()
        """An eventfd for each that waits: it is written when a place is theirs."""
        self._idle: list[tuple[Hashable, Grader]] = []
        """The longest idle first."""
        self._closed = False

    def of(self, key: Hashable, make: Callable[[], Grader]) -> Grades:
        """Who grades for one environment. What `make` makes under the same key does the same."""
        return _Share(self, key, make)

    def grade(
        self, key: Hashable, make: Callable[[], Grader], files: Files, split: Split
    ) -> dict[str, float]:
        """Grade once a grader is free. Raises like `Grader.grade`."""
        self._enter()
        try:
            grader = self._found(key) or make()
            try:
                return grader.grade(files, split)
            finally:
                self._keep(key, grader)
        finally:
            self._leave()

    def close(self) -> None:
        """Release the graders. Idempotent; what still grades is released when it is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, grader in idle:
            grader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _enter(self) -> None:
        """Take a place, once there is one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            try:
                turn = os.eventfd(0)
            except OSError as error:
                raise SandboxError(f"a free grader cannot be waited for: {error}") from error
            self._waiting.append(turn)
        try:
            wait_readable(turn, _EVER)
        except BaseException:
            # Interrupted: the place, if it has come meanwhile, is for somebody else.
            with self._lock:
                came = turn not in self._waiting
                if not came:
                    self._waiting.remove(turn)
            if came:
                self._leave()
            raise
        finally:
            os.close(turn)

    def _leave(self) -> None:
        with self._lock:
            if self._waiting:
                os.eventfd_write(self._waiting.popleft(), 1)
            else:
                self._free += 1

    def _found(self, key: Hashable) -> Grader | None:
        """An idle grader of this key; where there is none, there is room for another one."""
        with self._lock:
            for number in reversed(range(len(self._idle))):
                if self._idle[number][0] == key:
                    return self._idle.pop(number)[1]
            # Whoever has a place and no grader yet must find room as well.
            full = len(self._idle) > self._free
            _, longest_idle = self._idle.pop(0) if full else (None, None)
        if longest_idle is not None:
            longest_idle.close()
        return None

    def _keep(self, key: Hashable, grader: Grader) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((key, grader))
                return
        grader.close()


@dataclass(frozen=True, slots=True)
class _Share:
    graders: Graders
    key: Hashable
    make: Callable[[], Grader]

    def grade(self, files: Files, split: Split) -> dict[str, float]:
        return self.graders.grade(self.key, self.make, files, split)
