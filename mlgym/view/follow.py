"""Streams of events (SSE) for what is still happening: one run, or the whole table.

Each looks at the files at intervals, in a thread, and ends when its reader goes, the server stops,
or, for one run, when that has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from aiohttp import web

from mlgym.errors import ConfigError
from mlgym.runs.listing import ENDED
from mlgym.view.answers import Answers, record_of, row_of
from mlgym.view.rows import Kept
from mlgym.view.security import to_json
from mlgym.view.timeline import Lines, joined

STEP_S, ROWS_S = 0.3, 2.0
_HEARTBEAT_S = 15.0
_QUIET_S = 5.0
"""For how long nothing must happen to a run that seems cut off: it may run on another machine."""
_SHARE = 20
"""The table is looked at for at most one part in so many of the time."""


@dataclass(slots=True)
class OneRun:
    """What a reader who follows a run knows of it. `tell` looks, and gives the events to send."""

    answers: Answers
    wanted: str
    end: int
    _lines: Lines | None = None
    _known: int = 0
    _told: Kept | None = None
    _since: float = field(default_factory=time.monotonic)

    def tell(self) -> Iterator[str]:
        """The events since the last call; the last one is `done` where the run has ended.

        Raises:
            ConfigError: the run is gone.
        """
        kept = self.answers.run(self.wanted)  # before its lines: none comes after its record
        lines = self.answers.timelines.of(kept.folder).read()
        count, end = lines.so_far
        known = self._known_of(lines, end)
        if known is None or known < count:
            texts = joined(lines.texts[known or 0 : count])
            yield _event("steps", f'{{"from": {known or 0}, "steps": {texts}, "end": {end}}}')
            self._since = time.monotonic()
        self._lines, self._known = lines, count
        if kept != self._told:
            if self._told is not None:
                self._since = time.monotonic()
            self._told = kept
            yield _event("record", to_json({"row": row_of(kept), "record": record_of(kept)}))
        if self._has_ended(kept):
            yield _event("done", "{}")

    def _known_of(self, lines: Lines, end: int) -> int | None:
        """How many of these lines the reader has; None where what it has is no longer there."""
        if self._lines is None:
            return lines.after(self.end) if self.end <= end else None
        return self._known if lines is self._lines else None

    def _has_ended(self, kept: Kept) -> bool:
        if kept.row.status in ENDED:
            return True
        return kept.row.status != "running" and time.monotonic() - self._since > _QUIET_S


@dataclass(slots=True)
class AllRuns:
    """What a reader who follows the table knows of it."""

    answers: Answers
    since: int
    """The version of the table that it has."""

    def tell(self) -> Iterator[str]:
        """One event where rows changed, came or went since then."""
        found = self.answers.table.changes(self.since)
        if found.version != self.since:
            rest = f'"gone": {to_json(found.gone)}, "version": {found.version}'
            yield _event("rows", f'{{"rows": {joined(found.texts)}, {rest}}}')
        self.since = found.version


def _event(kind: str, data: str) -> str:
    """JSON holds no newline, which would end the event's data."""
    return f"event: {kind}\ndata: {data}\n\n"


async def stream(
    request: web.Request,
    tell: Callable[[], Iterator[str]],
    pause_s: float,
    stopping: asyncio.Event,
) -> web.StreamResponse:
    """Send what `tell` gives, time and again."""
    first = await asyncio.to_thread(lambda: list(tell()))  # an error becomes an answer of its own
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})

    def is_gone() -> bool:
        return request.transport is None or request.transport.is_closing()

    # Who asked may leave at any moment, before the answer too.
    with contextlib.suppress(ConnectionResetError):
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        async for text in _texts(first, tell, pause_s, stopping, is_gone):
            await response.write(text.encode())
    return response


async def _texts(
    first: list[str],
    tell: Callable[[], Iterator[str]],
    pause_s: float,
    stopping: asyncio.Event,
    is_gone: Callable[[], bool],
) -> AsyncIterator[str]:
    events, spoke, pause = first, time.monotonic(), pause_s
    yield ": follows\n\n"
    while True:
        for event in events:
            yield event
            spoke = time.monotonic()
        if any(event.startswith("event: done\n") for event in events) or is_gone():
            return
        if time.monotonic() - spoke > _HEARTBEAT_S:
            yield ": still there\n\n"
            spoke = time.monotonic()
        try:
            await asyncio.wait_for(stopping.wait(), pause)
        except TimeoutError:
            began = time.monotonic()
            try:
                events = await asyncio.to_thread(lambda: list(tell()))
            except ConfigError:
                return  # the run, or the folder, is gone
            pause = max(pause_s, _SHARE * (time.monotonic() - began))
        else:
            return
