"""Warm sandboxes of one kind: started ahead, handed out clean, taken back dirty, cleaned meanwhile.

What is handed out is new, or was reset and proven to be as a new one (`mlgym.sandbox.proof`); what
cannot be proven is replaced. The work is done by a few threads, which live for as long as there is
something to do. They are daemons, and a sandbox ends with this process: nothing outlives it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, dataclass

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.base import Backend, Sandbox, SandboxSpec
from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.proof import Looks, difference, look
from mlgym.sandbox.strands import Loop
from mlgym.sandbox.waiting import pause, within_strand

_MOST_HANDS = 4
_BREATH_S = 0.005
"""How long a hand waits before it begins: the episode that has just begun goes first."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a pool holds and has done.

    `ready` sandboxes are clean now. Since the beginning `started` are new ones, `cleaned` those
    reset and proven clean, `replaced` those that could not be; `missed` is how often none was ready
    for who came with a used one, which was then cleaned before their eyes.
    """

    ready: int = 0
    started: int = 0
    cleaned: int = 0
    replaced: int = 0
    missed: int = 0


class Pool:
    """`spares` sandboxes beside those handed out. Nothing is started before the first `take`.

    `make` gives a sandbox of the one kind that this pool is of, not started. `many`: those who take
    are strands of a `Loop`. All methods may be called from any thread.
    """

    def __init__(self, make: Callable[[], Sandbox], spares: int, *, many: bool = False) -> None:
        self._make = make
        self._spares = spares
        self._many = many
        self._most_hands = min(_MOST_HANDS, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._clean: deque[Sandbox] = deque()
        self._dirty: deque[Sandbox] = deque()
        self._hands: set[threading.Thread] = set()
        self._under_way = 0
        self._failure: Exception | None = None
        self._closed = False
        self._looks: Looks | None = None
        self._looking = False
        self._counts = {"started": 0, "cleaned": 0, "replaced": 0, "missed": 0}
        self.why_replaced: str | None = None
        """What was not clean about the last one that was replaced."""

    @property
    def counts(self) -> Counts:
        with self._lock:
            return Counts(len(self._clean), **self._counts)

    def take(self) -> Sandbox:
        """A clean sandbox; where none is ready it is started here and now.

        Raises:
            SandboxError: none can be had, or no spare one could be since the last call.
        """
        return self._handed_out(None) or self._fresh()

    def exchange(self, used: Sandbox) -> Sandbox:
        """A clean sandbox for a used one, which is the pool's from now on, whatever happens.

        Where none is ready the used one itself is cleaned, here and now. Raises like `take`.
        """
        ready = self._handed_out(used)
        if ready is None:
            self._count("missed")
            return self._cleaned(used)
        return ready

    def give_back(self, used: Sandbox) -> None:
        """Make a spare of a used one, or end it where there are enough."""
        with self._lock:
            enough = self._closed or self._missing() <= 0
            if not enough:
                self._dirty.append(used)
                self._call_hands()
        if enough:
            used.close()

    def close(self) -> None:
        """End all that is here; what is under way is waited for. Idempotent."""
        with self._lock:
            self._closed = True
            here, hands = [*self._clean, *self._dirty], list(self._hands)
            self._clean.clear()
            self._dirty.clear()
        for hand in hands:
            hand.join()
        for sandbox in here:
            sandbox.close()

    # By whoever takes ------------------------------------------------------------------------

    def _handed_out(self, used: Sandbox | None) -> Sandbox | None:
        """One that is ready, and then `used` is left to the hands. None where none is."""
        ready = None
        try:
            with self._lock:
                failure, self._failure = self._failure, None
                if failure is not None:
                    failure.add_note("while a pool made a spare sandbox ready")
                    raise failure
                while self._clean and ready is None:
                    first = self._clean.popleft()
                    if _is_alive(first):
                        ready = first
                    else:
                        self._dirty.append(first)
                if ready is not None and used is not None:
                    self._dirty.append(used)
                self._call_hands()
        except BaseException:
            if used is not None:
                used.close()
            raise
        return ready

    # By hands, or whoever finds none ready ---------------------------------------------------

    def _cleaned(self, used: Sandbox) -> Sandbox:
        """The sandbox, reset and proven clean; a new one where that cannot be."""
        try:
            used.reset()
            why = self._doubt(used)
        except (SandboxError, OSError) as error:
            why = str(error)
        except BaseException:
            used.close()
            raise
        if why is None:
            self._count("cleaned")
            return used
        used.close()
        self._count("replaced")
        self.why_replaced = why
        return self._fresh()

    def _doubt(self, sandbox: Sandbox) -> str | None:
        """Why this one, just reset, is not clean."""
        clean = self._looks
        if clean is None:
            return "no new one has been looked at yet"
        return difference(clean, look(sandbox, clean))

    def _fresh(self) -> Sandbox:
        """A new one, started. The first of all is what every later one is compared with."""
        sandbox = self._make()
        if self._many and not within_strand():
            # Started as its siblings are, who share a thread with many.
            with closing(Loop()) as loop:
                loop.gather([sandbox.start])
        else:
            sandbox.start()
        with self._lock:
            first = self._looks is None and not self._looking
            self._looking = self._looking or first
        if first:
            try:
                self._looks = look(sandbox)
            except BaseException:
                sandbox.close()
                raise
            finally:
                self._looking = False
        self._count("started")
        return sandbox

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    # The hands; with the lock held where not said otherwise ----------------------------------

    def _missing(self) -> int:
        return self._spares - len(self._clean) - len(self._dirty) - self._under_way

    def _work_left(self) -> int:
        """How many there are to clean and to start; none is begun once one has failed."""
        if self._closed or self._failure is not None:
            return 0
        return len(self._dirty) + max(0, self._missing())

    def _call_hands(self) -> None:
        busy = self._under_way
        while len(self._hands) < min(self._most_hands, self._work_left() + busy):
            hand = threading.Thread(target=self._labour, name="mlgym-pool", daemon=True)
            self._hands.add(hand)
            try:
                hand.start()
            except RuntimeError as error:
                self._hands.discard(hand)
                self._failure = SandboxError(f"no thread can be had for a pool: {error}")

    def _labour(self) -> None:
        """A hand's whole life. Without the lock."""
        pause(_BREATH_S)
        while True:
            with self._lock:
                if not self._work_left():
                    self._hands.discard(threading.current_thread())
                    return
                used = self._dirty.popleft() if self._dirty else None
                self._under_way += 1
            done, failure = None, None
            try:
                done = self._fresh() if used is None else self._cleaned(used)
            except Exception as error:  # noqa: BLE001 - raised by the next who takes
                failure = error
            with self._lock:
                self._under_way -= 1
                self._failure = failure or self._failure
                if done is not None and not self._closed:
                    self._clean.append(done)
                    done = None
            if done is not None:
                done.close()


class Pools:
    """A pool of `spares` for each kind of sandbox that is asked for; environments may share it.

    Raises ConfigError: `spares` is no number from 0 up.
    """

    def __init__(self, spares: int, *, many: bool = False) -> None:
        if not isinstance(spares, int) or spares < 0:  # pyright: ignore[reportUnnecessaryIsInstance] - a caller's word
            raise ConfigError(f"pool: found {spares!r}, expected how many spare sandboxes, from 0")
        self.spares = spares
        self._many = many
        self._made: list[tuple[str, SandboxSpec, Pool]] = []

    def of(self, name: str, backend: Backend, spec: SandboxSpec) -> Pool:
        """The pool of sandboxes of this kind; `name` is the backend's."""
        for known, kind, pool in self._made:
            if (known, kind) == (name, spec):
                return pool
        pool = Pool(lambda: backend(spec), self.spares, many=self._many)
        self._made.append((name, spec, pool))
        return pool

    @property
    def counts(self) -> Counts:
        """Of all kinds together."""
        each = [astuple(pool.counts) for _, _, pool in self._made]
        return Counts(*map(sum, zip(*each, strict=True)))

    def close(self) -> None:
        """End all that is in them. Idempotent; who asks again is given new ones."""
        made, self._made = self._made, []
        for _, _, pool in made:
            pool.close()


def _is_alive(sandbox: Sandbox) -> bool:
    return not isinstance(sandbox, GuestSandbox) or sandbox.seems_alive
