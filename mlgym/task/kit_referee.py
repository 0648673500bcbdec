"""The referee's side of the kit: runs a task's grader, and is what it asks the player through.

Laid beside `mlgym_kit.py`, which starts it.
"""

from __future__ import annotations

import hashlib
import json
import operator
import random
import secrets
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mlgym.task.kit import (
        SUBMISSION,
        Pipe,
        SubmissionError,
        load_module,
        pack_values,
        unpack_values,
    )
else:
    from mlgym_kit import (
        SUBMISSION,
        SubmissionError,
        load_module,
        pack_values,
        unpack_values,
    )

CALL_S = 60.0
"""The time limit of a player's answer, in seconds, where a grader sets none."""


class Player:
    """The submitted program, running in a sandbox of its own. Every method may raise
    `SubmissionError`: the program crashed, hung, flooded, or answered what is no answer."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._loaded = False
        self.wall_s = 0.0
        """How long its answers took, in seconds, since its process was started."""
        self.cpu_s = 0.0
        """Processor time of its process by its last answer, in seconds, whenever it was spent;
        0 where the system does not tell."""

    def load(
        self,
        path: str,
        seed: int,
        timeout_s: float = CALL_S,
        instead: str | None = None,
        alone: bool = False,
    ) -> None:
        """Import the submitted file `path`, `random` and `numpy.random` being seeded before.

        `instead` is the text of a program to put in that file's place. `alone`: every other process
        in its sandbox is ended before, and it can start neither processes nor threads.
        """
        self._loaded = True
        self._ask("load", [path, operator.index(seed), instead, alone], timeout_s)

    def restart(self) -> None:
        """End its process, wipe its sandbox, lay the submission again, start a fresh process."""
        self._pipe.send({"player": "restart"})
        self._pipe.receive()
        self._loaded = False
        self.wall_s = self.cpu_s = 0.0

    def echo(self, *values: Any, timeout_s: float = CALL_S) -> None:
        """Send `values` for nothing: what an exchange costs, before there is anything of the
        program's in it."""
        self._ask("echo", list(values), timeout_s)

    def call(self, function: str, *arguments: Any, timeout_s: float = CALL_S) -> Any:
        """What the loaded module's `function` returns: JSON-able values and arrays."""
        return self._ask("call", [function, *arguments], timeout_s)

    def each(self, function: str, many: Sequence[Any], timeout_s: float = CALL_S) -> Any:
        """What `function` returns for each list of arguments in `many`: a list, as JSON gave it."""
        return self._ask("each", [function, list(many)], timeout_s)

    def build(self, function: str, *arguments: Any, timeout_s: float = CALL_S) -> None:
        """Call the module's `function` and keep on the player's side what it returns.

        From then on `call` and `step` name methods of that object, which may be anything.
        """
        self._ask("build", [function, *arguments], timeout_s)

    def step(self, function: str, *arguments: Any, timeout_s: float = CALL_S) -> Any:
        """Like `call`, of a function that remembers: `(*arguments, state) -> (answer, state)`.

        The state stays on the player's side and may be anything; None comes first.
        """
        return self._ask("step", [function, *arguments], timeout_s)

    def play(self, function: str, last: Any, timeout_s: float = CALL_S) -> Any:
        """One round of every match in lockstep.

        `last` is the array of the opponents' last moves, one row a match, or, in round one, the
        number of matches. `function(history)` is called once a match, its history being a list of
        `(own move, opponent's move)`. Returns the list of moves, each of what JSON has.
        """
        return self._ask("play", [function, last], timeout_s)

    def _ask(self, request: str, values: list[Any], timeout_s: float) -> Any:
        # A grader's own mistakes, which must not look like the program's.
        if not (self._loaded or request == "echo"):
            raise RuntimeError("the player has not been told to load() anything")
        if not float(timeout_s) > 0:
            raise ValueError(f"timeout_s is {timeout_s!r}, expected seconds")
        items, body = pack_values(values, listed=request == "play")
        # It cannot be known beforehand: an answer that was sent too early, or twice, has another.
        ticket = secrets.token_hex(8)
        question = {"player": request, "values": items, "timeout_s": timeout_s, "ticket": ticket}
        began = time.perf_counter()
        self._pipe.send(question, body)
        header, answer = self._pipe.receive()
        self.wall_s += time.perf_counter() - began
        self.cpu_s = float(header.get("cpu_s", self.cpu_s))
        if "failed" in header:
            raise SubmissionError(str(header["failed"]))
        try:
            reply_size = int(header["header_size"])
            reply = json.loads(answer[:reply_size])
            if not isinstance(reply, dict):
                raise ValueError("no object")  # noqa: TRY004
            reply = cast("dict[str, Any]", reply)
            if reply.get("ticket") != ticket:
                raise SubmissionError("the submitted program answered what it was not asked")
            if "error" in reply:
                raise SubmissionError(
                    f"the submitted program failed:\n{str(reply['error'])[:4000]}"
                )
            (value,) = unpack_values(reply["values"], answer[reply_size:])
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise SubmissionError(f"the submitted program answered nonsense: {error!r}") from None
        return value


def make_rng(seed_text: str, salt: bytes) -> Any:
    """A generator that follows from the text and the salt alone: numpy's, else the standard one."""
    digest = hashlib.sha256(seed_text.encode() + b"\0" + salt).digest()
    try:
        import numpy as np
    except ImportError:
        return random.Random(digest)
    return np.random.default_rng(int.from_bytes(digest, "big"))


def serve(pipe: Pipe) -> None:
    """Grade once: the host's first frame says what, the last frame of ours is the outcome."""
    order, _ = pipe.receive()
    try:
        answers = Path(order["answers"])
        salt_file = answers / "salt"
        salt = salt_file.read_bytes() if salt_file.is_file() else b""
        script = load_module(Path(order["script"]), "grade_script")
        rng = make_rng(order["seed"], salt)
        player = order["kind"] != "predictions"
        subject = Player(pipe) if player else SUBMISSION
        found = script.grade(subject, answers, order["split"], rng)
        metrics = {str(name): float(value) for name, value in dict(found).items()}
    except SubmissionError as error:
        pipe.send({"submission_error": str(error)[:8000]})
    except BaseException:  # noqa: BLE001 - the one place that says: anything else is the author's
        pipe.send({"task_error": traceback.format_exc()[-8000:]})
    else:
        pipe.send({"metrics": metrics})
