"""The signals by which people and machines ask a command to end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator


@contextlib.contextmanager
def asked_to_end(handler: Callable[[int, object], None]) -> Generator[None, None, None]:
    """A polite kill and a closed terminal call `handler`, as Ctrl-C does.

    SIGINT too: a shell starts its background jobs deaf to it. But `nohup` is kept to.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
