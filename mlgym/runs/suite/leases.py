"""Which GPUs are whose: a pool that the cells of a suite lease from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from mlgym.errors import ConfigError


class Pool(Protocol):
    """Where cells lease their GPUs from."""

    def check(self, task: str, wanted: int) -> None:
        """Raises ConfigError where a task wants more than there will ever be."""
        ...

    def lease(self, wanted: int) -> tuple[str, ...] | None:
        """So many GPUs, or None where they are not to be had now."""
        ...

    def give_back(self, leased: Sequence[str]) -> None: ...


class GpuPool:
    """Hands out GPUs by id. Nobody shares one, unless `shared`: then the least used are given."""

    def __init__(self, ids: Sequence[str], *, shared: bool = False) -> None:
        """Raises ConfigError for an id that is there twice."""
        if len({*ids}) < len(ids):
            raise ConfigError(f"--gpus: found {','.join(ids)}, expected: each id once")
        self._users = Counter[str](dict.fromkeys(ids, 0))
        self._shared = shared

    def check(self, task: str, wanted: int) -> None:
        if wanted > len(self._users):
            raise ConfigError(
                f"--gpus: found {len(self._users)}, expected at least {wanted}: the task {task}"
                " asks for so many"
            )

    def lease(self, wanted: int) -> tuple[str, ...] | None:
        free = [one for one in self._users if self._shared or not self._users[one]]
        if wanted > len(free):
            return None
        given = tuple(sorted(free, key=lambda one: self._users[one])[:wanted])
        self._users.update(given)
        return given

    def give_back(self, leased: Sequence[str]) -> None:
        self._users.subtract(leased)
