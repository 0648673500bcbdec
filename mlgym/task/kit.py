"""What a grader and a player run on: laid into their sandboxes, of the standard library alone.

Inside it is `mlgym_kit`. Graders import `SubmissionError` from it and are given a `Player`:

    player.load("strategy.py", seed=1)
    moves = player.play("row_strategy", last_moves_of_the_opponents)
    answer = player.call("guess", [1, 2, 3], timeout_s=5)

    player.build("load", "/workspace/weights")
    actions = player.step("act", observations)

Referee and player speak in frames: two lengths, a JSON header, a binary body of arrays. The real
stdin and stdout are put out of reach of task code before any of it is loaded. Nothing that came
from a player is ever unpickled or evaluated.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import operator
import os
import random
import secrets
import struct
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, cast

PREFIX = struct.Struct(">II")
MAX_FRAME = 128 << 20
MAX_HEADER = 8 << 20
"""Parsed JSON takes many times its text's room: what is large goes into arrays, in the body."""
SUBMISSION = Path("/workspace")
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "float32", "float64")
CALL_S = 60.0
"""The time limit of a player's answer, in seconds, where a grader sets none."""


class SubmissionError(Exception):
    """The submission cannot be graded; the agent reads the message."""


class Pipe:
    """Frames over two descriptors."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._in = os.fdopen(read_fd, "rb", buffering=1 << 16)
        self._out = write_fd

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        text = json.dumps(header, allow_nan=True).encode()
        check_sizes(len(text), len(body))
        data = memoryview(PREFIX.pack(len(text), len(body)) + text + body)
        while data:
            data = data[os.write(self._out, data) :]

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next frame. Raises EOFError at the end, ValueError for what is too large."""
        header_size, body_size = PREFIX.unpack(self._exactly(PREFIX.size))
        check_sizes(header_size, body_size)
        header = json.loads(self._exactly(header_size))
        return header, self._exactly(body_size)

    def _exactly(self, size: int) -> bytes:
        data = self._in.read(size)
        if len(data) < size:
            raise EOFError
        return data


def check_sizes(header: int, body: int) -> None:
    """Raises ValueError for more bytes than a frame's header or body may have."""
    if header > MAX_HEADER or body > MAX_FRAME:
        raise ValueError(
            f"{header} bytes of JSON and {body} of arrays are too many for one message:"
            f" at most {MAX_HEADER} and {MAX_FRAME}"
        )


def take_over_stdio() -> Pipe:
    """The real stdin and stdout as a `Pipe`; what task code finds there is nothing and stderr."""
    pipe = Pipe(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return pipe


# Values: plain JSON, and arrays by dtype, shape and bytes ------------------------------------


def pack_values(values: Sequence[Any]) -> tuple[list[Any], bytes]:
    """JSON-able items and one body; an array becomes a description of its part of the body."""
    items: list[Any] = []
    body = bytearray()
    for value in values:
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            data = value.tobytes()
            name = str(value.dtype)
            if name not in DTYPES:
                raise TypeError(f"an array of {name} cannot be sent")
            items.append({"array": name, "shape": list(value.shape), "size": len(data)})
            body += data
        else:
            items.append({"value": value})
    return items, bytes(body)


def unpack_values(items: Any, body: bytes) -> list[Any]:
    """The reverse of `pack_values`. Raises ValueError for anything that does not add up."""
    values: list[Any] = []
    offset = 0
    for item in list_of_objects(items):
        if "array" not in item:
            values.append(item["value"])
            continue
        import numpy as np

        name, shape, size = item["array"], item["shape"], item["size"]
        if name not in DTYPES or type(size) is not int or size < 0:
            raise ValueError(f"an array of {name!r}")
        if not is_shape(shape):
            raise ValueError(f"an array of shape {shape!r}")
        part = body[offset : offset + size]
        offset += size
        values.append(np.frombuffer(part, dtype=name).reshape(shape).copy())
    if offset != len(body):
        raise ValueError("bytes that belong to no array")
    return values


def is_shape(shape: Any) -> bool:
    """Whether it is a list of plain integers of at least 0."""
    return isinstance(shape, list) and all(
        type(size) is int and size >= 0 for size in cast("list[Any]", shape)
    )


def list_of_objects(items: Any) -> list[dict[str, Any]]:
    """`items` if it is that. Raises ValueError."""
    if not isinstance(items, list):
        raise ValueError("no list of values")  # noqa: TRY004
    listed = cast("list[Any]", items)
    if not all(isinstance(item, dict) for item in listed):
        raise ValueError("a value without a description")
    return listed


# The referee's side --------------------------------------------------------------------------


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
        `(own move, opponent's move)`. Returns the list of moves, as JSON gave them.
        """
        return self._ask("play", [function, last], timeout_s)

    def _ask(self, request: str, values: list[Any], timeout_s: float) -> Any:
        # A grader's own mistakes, which must not look like the program's.
        if not (self._loaded or request == "echo"):
            raise RuntimeError("the player has not been told to load() anything")
        if not float(timeout_s) > 0:
            raise ValueError(f"timeout_s is {timeout_s!r}, expected seconds")
        items, body = pack_values(values)
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


def referee(pipe: Pipe) -> None:
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


def load_module(path: Path, name: str) -> ModuleType:
    """Import a file under `name`, with its folder on the path for what it imports itself."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The player's side ---------------------------------------------------------------------------


def main() -> NoReturn:
    """`python mlgym_kit.py referee|player`."""
    pipe = take_over_stdio()
    sys.modules.setdefault("mlgym_kit", sys.modules["__main__"])
    # The kit's other files lie beside this one; the interpreter was told to leave that folder out.
    sys.path.insert(0, str(Path(__file__).parent))
    role = referee if sys.argv[1] == "referee" else importlib.import_module("mlgym_kit_player").play
    role(pipe)
    # Threads and exit handlers of task code have no say in when this ends.
    os._exit(0)


if __name__ == "__main__":
    main()
