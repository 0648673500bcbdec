"""The host's part between referee and player: relays questions and answers, and keeps the clock.

The player's program is untrusted. What it says is passed on unread, for the referee to judge; that
it says nothing, too much or too late becomes a failure that the referee is told of. What the
referee sees of it is `mlgym_kit_referee.Player`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from mlgym.task.frames import FrameError, FrameLink, FrameTimeoutError


class PlayerRelay:
    """Asks one player process at a time, for `budget_s` seconds of answering in all.

    `restart` ends the process and gives the link to a fresh one; a referee asks for that itself.

    A program that is slow in every call can use up a grading without missing the limit of a single
    one. That is its fault and none of the grader's, hence a budget of its own.
    """

    def __init__(self, link: FrameLink, restart: Callable[[], FrameLink], budget_s: float) -> None:
        self._link = link
        self._restart = restart
        self._budget_s = budget_s
        self._left = budget_s
        self._failure: str | None = None
        self.timed_out = False
        """Whether it failed by saying nothing, which may be no fault of its own."""

    def ask(self, question: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The frame for the referee: the player's answer as it came, or why there is none.

        `question["timeout_s"]` is the limit of this answer, in seconds. Once it has failed a player
        is not asked again: an answer that comes late is not taken for that to a later question.

        Raises SandboxError: the player's sandbox is lost.
        """
        if question["player"] == "restart":
            self._link, self._failure = self._restart(), None
            return {"restarted": True}, b""
        if self._failure is None:
            began = time.monotonic()
            limit = float(question["timeout_s"])
            try:
                self._link.send(dict(question), body)
                said, data = self._link.receive(max(0.0, min(limit, self._left)))
            except FrameTimeoutError as error:
                self.timed_out = True
                short = self._left < limit
                self._failure = (
                    f"it took more than {self._budget_s:g} s in all" if short else str(error)
                )
            except FrameError as error:
                self._failure = str(error)
            else:
                self._left -= time.monotonic() - began
                return {"header_size": len(said), "cpu_s": self._link.cpu_s}, said + data
        return {"failed": f"the submitted program failed: {self._failure}"}, b""
