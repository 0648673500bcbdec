"""A point of an episode to which an environment can return, here or on another machine."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

from mlgym.episode import Account
from mlgym.errors import ConfigError
from mlgym.laboratory import Origin
from mlgym.types import Transition

_PIECE = 1 << 18
_IN_MEMORY = 4 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files, shell, editor, random state, account and best submission of an episode.

    Picklable. It holds its files' bytes, in memory or in an unnamed temporary file, until `close`
    (or the end of a `with`); a closed one can be neither restored nor pickled (ValueError).
    """

    origin: Origin
    account: Account
    last: Transition
    random_state: Mapping[str, Any]
    _saved: IO[bytes]

    @property
    def size(self) -> int:
        """How many bytes it holds of files and shell."""
        self._saved.seek(0, os.SEEK_END)
        return self._saved.tell()

    def saved(self) -> Iterator[bytes]:
        """The sandbox's part, as `Sandbox.load` reads it."""
        self._saved.seek(0)
        while piece := self._saved.read(_PIECE):
            yield piece

    def to_bytes(self) -> bytes:
        """All of it, for shipping: `Snapshot.from_bytes` reads it. It is a pickle inside."""
        return pickle.dumps(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` gave. Unpickles: never feed it bytes of unknown origin.

        Raises:
            ConfigError: the bytes are no snapshot.
        """
        try:
            found = pickle.loads(data)  # noqa: S301 - said above
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
            raise ConfigError(f"these bytes are no snapshot: {error}") from None
        if not isinstance(found, cls):
            raise ConfigError(f"these bytes are no snapshot but a {type(found).__name__}")
        return found

    def close(self) -> None:
        """Release its files. Idempotent."""
        self._saved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.origin, self.account, self.last, self.random_state)
        return _unpacked, (parts, b"".join(self.saved()))


def keep(pieces: Iterable[bytes]) -> IO[bytes]:
    """What `Sandbox.save` gave, for a snapshot to hold.

    Raises:
        OSError: there is no room for it.
    """
    # Unnamed once it is on disk: whatever becomes of its owner, nothing is left behind.
    kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by the snapshot
    pieces = iter(pieces)
    try:
        for piece in pieces:
            kept.write(piece)
    except OSError:
        kept.close()
        deque(pieces, maxlen=0)  # a sandbox must be heard out before it is asked anything else
        raise
    return kept


def _unpacked(
    parts: tuple[Origin, Account, Transition, Mapping[str, Any]], saved: bytes
) -> Snapshot:
    return Snapshot(*parts, keep([saved]))
