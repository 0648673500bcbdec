"""One request through litellm, whole within its time."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread
from typing import Any

from mlgym.models.failures import EmptyAnswerError, LateAnswerError
from mlgym.models.library import litellm

_GRACE_S = 0.5
"""So much longer than litellm's own time-out, whose words tell more."""


def ask_within(request: Mapping[str, Any], timeout_s: float) -> Any:
    """litellm's answer to `request`.

    litellm's time-out is for each read from the server: one that sends a byte now and then would be
    waited for without end. So the request runs in a thread, which is left behind when its time is
    over; the connection ends with it or with the process.

    Raises:
        LateAnswerError, EmptyAnswerError: no whole answer in time; one without a choice in it.
        Exception: whatever litellm raises.
    """
    answers: list[Any] = []
    errors: list[BaseException] = []
    library = litellm()

    def work() -> None:
        try:
            answers.append(library.completion(**request))
        # Handed on to who waits, whatever it is.
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    worker = Thread(target=work, daemon=True)
    worker.start()
    worker.join(timeout_s + _GRACE_S)
    if errors:
        raise errors[0]
    if not answers:
        raise LateAnswerError(f"Timeout: no whole answer within {timeout_s:g} s")
    if not answers[0].choices:
        raise EmptyAnswerError("an answer without choices")
    return answers[0]
