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
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import sys
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


def main() -> NoReturn:
    """`python mlgym_kit.py referee|player`."""
    pipe = take_over_stdio()
    sys.modules.setdefault("mlgym_kit", sys.modules["__main__"])
    # The kit's other files lie beside this one; the interpreter was told to leave that folder out.
    sys.path.insert(0, str(Path(__file__).parent))
    importlib.import_module(f"mlgym_kit_{sys.argv[1]}").serve(pipe)
    # Threads and exit handlers of task code have no say in when this ends.
    os._exit(0)


if __name__ == "__main__":
    main()
