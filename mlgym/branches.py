"""The states of an episode to which a branching agent can go back, kept within a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError
from mlgym.snapshot import Snapshot

MOST_BYTES = 2 << 30
"""How many bytes of snapshots are held; beyond it goes what was not used for the longest time."""


class Branches:
    """The snapshots of one running episode, by the step that led to each state.

    A state is kept as it is left, so that the last one of an episode costs nothing.
    """

    def __init__(
        self,
        env: MLGymEnv,
        log: Callable[[str], None] = lambda _: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._env = env
        self._log = log
        self._most_bytes = most_bytes
        self._held: dict[int, Snapshot] = {}  # the one last used comes last

    @property
    def kept(self) -> tuple[int, ...]:
        """The steps that `leave` can go to, the present one among them."""
        return tuple(sorted({*self._held, self._here}))

    def leave(self, goto: int | None, *, keep: bool) -> None:
        """Before the next action: keep the present state, where asked to, and go to another one.

        What cannot be kept (the host has no room) is told and missing from `kept`.

        Raises:
            SandboxError: the sandbox is lost, and the episode void.
        """
        if keep and self._env.remaining_steps > 1:
            self._keep()
        if goto is not None and goto != self._here:
            self._env.restore(self._used(goto), keep_budget=True)

    def close(self) -> None:
        """Release everything. Idempotent."""
        for snapshot in self._held.values():
            snapshot.close()
        self._held.clear()

    @property
    def _here(self) -> int:
        if self._env.last_transition is None:
            raise SandboxError("the environment was reset and tells of no transition")
        return self._env.last_transition.step

    def _used(self, step: int) -> Snapshot:
        snapshot = self._held[step] = self._held.pop(step)
        return snapshot

    def _keep(self) -> None:
        step = self._here
        if step in self._held:
            return
        try:
            taken = self._env.snapshot()
        except OSError as error:
            self._log(f"the state after step {step} cannot be gone back to: {error}")
            return
        # The environment itself keeps the best submission of all branches.
        self._held[step] = replace(taken, account=replace(taken.account, kept=None))
        held = sum(snapshot.size for snapshot in self._held.values())
        while held > self._most_bytes:
            oldest = next(iter(self._held))
            held -= self._held[oldest].size
            self._held.pop(oldest).close()
            self._log(f"the state after step {oldest} is kept no longer: there are newer ones")
