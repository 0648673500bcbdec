"""When a provider may be asked: what several processes that share its limits agree on.

Who makes models hands one to them; without one nothing is held back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit


class Pace(Protocol):
    """Holds requests back. `lane` is what has limits of its own, see `lane_of`."""

    def enter(self, lane: str, tokens: Callable[[], int]) -> float:
        """Return once a request may be sent; a ticket for `settle`.

        `tokens` counts about how many it has, and is called only where that matters.
        """
        ...

    def settle(self, lane: str, ticket: float, tokens: int) -> None:
        """Tell how many tokens a request had in the end, in and out."""
        ...

    def pause(self, lane: str, seconds: float) -> None:
        """The server has asked for so long a wait: for everybody in this lane."""
        ...


class Unpaced:
    """Holds nothing back."""

    def enter(self, lane: str, tokens: Callable[[], int]) -> float:
        del lane, tokens
        return 0.0

    def settle(self, lane: str, ticket: float, tokens: int) -> None:
        pass

    def pause(self, lane: str, seconds: float) -> None:
        pass


def lane_of(provider: str | None, api_base: str | None) -> str:
    """A provider's name; `provider@host:port` where the server is one's own."""
    name = provider or "unknown"
    return f"{name}@{urlsplit(api_base).netloc}" if api_base else name
