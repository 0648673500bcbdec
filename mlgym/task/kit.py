"""What a grader and a player run on: laid into their sandboxes, of the standard library alone.

Inside it is `mlgym_kit`; beside it lie `mlgym_kit_referee` and `mlgym_kit_player`, one for a side.
Graders import `SubmissionError` from it and are given a `Player`:

    player.load("strategy.py", seed=1)
    moves = player.play("row_strategy", last_moves_of_the_opponents)
    answer = player.call("guess", [1, 2, 3], timeout_s=5)

    player.build("load", "/workspace/weights")
    actions = player.step("act", observations)

Referee and player speak in frames: two lengths, a JSON header, a binary body of arrays. The real
stdin and stdout are put out of reach of task code before any of it is loaded. Nothing that came
from a player is ever unpickled or evaluated.

A player starts anew for each grading: what its side imports is what every `validate` waits for, so
`typing`, `pathlib` and `traceback` are not among it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, NoReturn, cast

    SUBMISSION: Path
    """The folder of a predictions submission, in the grading sandbox."""
else:

    def cast(_, value):
        return value

    def __getattr__(name):
        if name == "SUBMISSION":
            from pathlib import Path

            return Path(FOLDER)
        raise AttributeError(name)


PREFIX = struct.Struct(">II")
MAX_FRAME = 128 << 20
MAX_HEADER = 8 << 20
"""Parsed JSON takes many times its text's room: what is large goes into arrays, in the body."""
FOLDER = "/workspace"
"""Where the submitted files lie, in either sandbox."""
DTYPES = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "float32": "f",
    "float64": "d",
}
"""What an array may be of, by numpy's name, and the letter for it in `memoryview`."""
MAX_LISTED = 2 << 20
"""So many numbers may come as a list: objects take many times the room of an array."""


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


def pack_values(values: Sequence[Any], *, listed: bool = False) -> tuple[list[Any], bytes]:
    """JSON-able items and one body; an array becomes a description of its part of the body.

    With `listed` arrays arrive as lists, for which nobody need import numpy, and lists of integers
    go the same way, which is quicker than JSON.
    """
    items: list[Any] = []
    body = bytearray()
    for value in values:
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            name, shape, data = str(value.dtype), list(value.shape), value.tobytes()
            if name not in DTYPES:
                raise TypeError(f"an array of {name} cannot be sent")
            as_list = listed and value.size <= MAX_LISTED
        else:
            data = _integers(value) if listed else None
            if data is None:
                items.append({"value": value})
                continue
            name, shape, as_list = "int64", [len(value)], True
        item = {"array": name, "shape": shape, "size": len(data)}
        items.append({**item, "listed": True} if as_list else item)
        body += data
    return items, bytes(body)


def _integers(value: Any) -> bytes | None:
    """The bytes of an array of int64 that says the same; None where there is none."""
    if type(value) is not list or len(cast("list[Any]", value)) > MAX_LISTED:
        return None
    numbers = cast("list[Any]", value)
    if set(map(type, numbers)) != {int}:
        return None
    try:
        return struct.pack(f"{len(numbers)}q", *numbers)
    except struct.error:
        return None


def unpack_values(items: Any, body: bytes) -> list[Any]:
    """The reverse of `pack_values`. Raises ValueError, TypeError for what does not add up."""
    values: list[Any] = []
    offset = 0
    for item in list_of_objects(items):
        if "array" not in item:
            values.append(item["value"])
            continue
        name, shape, size = item["array"], item["shape"], item["size"]
        if name not in DTYPES or type(size) is not int or size < 0:
            raise ValueError(f"an array of {name!r}")
        if not is_shape(shape):
            raise ValueError(f"an array of shape {shape!r}")
        part = body[offset : offset + size]
        offset += size
        values.append((_listed if item.get("listed") else _array)(name, shape, part))
    if offset != len(body):
        raise ValueError("bytes that belong to no array")
    return values


def _array(name: str, shape: list[int], part: bytes) -> Any:
    import numpy as np

    return np.frombuffer(part, dtype=name).reshape(shape).copy()


def _listed(name: str, shape: list[int], part: bytes) -> Any:
    """What `tolist` of the array gives."""
    if not shape or 0 in shape:  # which a view does not take
        return _array(name, shape, part).tolist()
    view = cast("Any", memoryview(part)).cast(DTYPES[name], shape)
    if view.nbytes // view.itemsize > MAX_LISTED:
        raise ValueError(f"a list of shape {shape!r}")
    return view.tolist()


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


def load_module(path: str | Path, name: str) -> ModuleType:
    """Import a file under `name`, with its folder on the path for what it imports itself."""
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> NoReturn:
    """`python mlgym_kit.py referee|player`."""
    pipe = take_over_stdio()
    sys.modules.setdefault("mlgym_kit", sys.modules["__main__"])
    # The kit's other files lie beside this one; the interpreter was told to leave that folder out.
    sys.path.insert(0, os.path.dirname(__file__))
    side = importlib.import_module(f"mlgym_kit_{sys.argv[1]}")
    # A process that cannot start is nobody's fault; from here on it is the task's or the program's.
    pipe.send({"ready": sys.argv[1]})
    side.serve(pipe)
    # Threads and exit handlers of task code have no say in when this ends.
    os._exit(0)


if __name__ == "__main__":
    main()
