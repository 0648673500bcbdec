"""Rate limits that all jobs of a suite keep together: a small locked file for each provider.

In any minute at most so many requests are begun, with at most so many tokens; and where a server
asks one of them to wait, all do.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlgym.config import Rate
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.whole import written_whole

LIMITS = ".limits"
ANY = "*"
_MINUTE_S = 60.0
_LOCK_S = 30.0
_NAP_S = 5.0
_BUSY_S = 0.1


class SharedPace:
    """A `Pace` for every process that shares `folder`. See `mlgym.models.pace`.

    `rates` are by provider, by `provider@host:port`, or `*`. `clock` is in Unix seconds, as
    processes and reboots agree on that alone. `window_s` is the minute, for tests.
    """

    def __init__(
        self,
        folder: Path,
        rates: Mapping[str, Rate],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        window_s: float = _MINUTE_S,
    ) -> None:
        self._folder = folder
        self._rates = rates
        self._sleep = sleep
        self._clock = clock
        self._window_s = window_s

    def enter(self, lane: str, tokens: Callable[[], int]) -> float:
        rate = self._rate(lane)
        wanted = tokens() if rate.tpm is not None else 0
        ticket = random.random()
        while (wait := self._try(lane, rate, wanted, ticket)) > 0:
            # In short naps: a wait may be taken back, and the clock be set.
            self._sleep(min(wait, _NAP_S))
        return ticket

    def settle(self, lane: str, ticket: float, tokens: int) -> None:
        if self._rate(lane).tpm is None:
            return

        def correct(state: dict[str, Any]) -> None:
            for entry in state["sent"]:
                if entry[1] == ticket:
                    entry[2] = tokens

        self._change(lane, correct)

    def pause(self, lane: str, seconds: float) -> None:
        until = self._clock() + seconds

        def extend(state: dict[str, Any]) -> None:
            state["paused_until"] = max(state["paused_until"], until)

        self._change(lane, extend)

    def _rate(self, lane: str) -> Rate:
        for name in (lane, lane.partition("@")[0], ANY):
            if name in self._rates:
                return self._rates[name]
        return Rate.model_validate({})

    def _try(self, lane: str, rate: Rate, wanted: int, ticket: float) -> float:
        """Enter, and give 0; or give the seconds after which to try again."""
        waits: list[float] = []

        def enter(state: dict[str, Any]) -> None:
            now = self._clock()
            sent = [entry for entry in state["sent"] if 0 <= now - entry[0] < self._window_s]
            state["sent"] = sent
            wait = state["paused_until"] - now
            if wait <= 0:
                wait = self._full_for(sent, rate, wanted, now)
            if wait <= 0:
                sent.append([now, ticket, wanted])
            waits.append(wait)

        if not self._change(lane, enter):
            return _BUSY_S
        # Where no file can be had there is nothing to agree on: it goes on as a run of its own.
        return waits[0] if waits else 0.0

    def _full_for(self, sent: list[Any], rate: Rate, wanted: int, now: float) -> float:
        """For how many seconds there is no room for another request."""
        left, free_at = list(sent), now
        # A request of more tokens than there are in a minute goes alone.
        while left and not _fits(left, rate, wanted):
            free_at = left.pop(0)[0] + self._window_s
        return free_at - now

    def _change(self, lane: str, change: Callable[[dict[str, Any]], None]) -> bool:
        """Change what is known of a lane. False where others are at it for all too long."""
        name = re.sub(r"[^\w.-]", "_", lane)
        try:
            with held(self._folder / LIMITS, name, _LOCK_S):
                path = self._folder / LIMITS / f"{name}.json"
                state = _read(path)
                change(state)
                with written_whole(path) as fresh:
                    fresh.write_text(json.dumps(state))
        except HeldError:
            return False
        except OSError:
            # A full disk ends no episode.
            return True
        return True


def _fits(sent: list[Any], rate: Rate, wanted: int) -> bool:
    few = rate.rpm is None or len(sent) < rate.rpm
    return few and (rate.tpm is None or sum(entry[2] for entry in sent) + wanted <= rate.tpm)


def _read(path: Path) -> dict[str, Any]:
    """What is known of the last minute; nothing, where the file is missing or torn."""
    try:
        found = json.loads(path.read_text())
        sent = [[float(when), float(ticket), int(many)] for when, ticket, many in found["sent"]]
        return {"sent": sent, "paused_until": float(found["paused_until"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {"sent": [], "paused_until": 0.0}
