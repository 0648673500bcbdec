"""The player's side of the kit: answers a referee's requests with a submitted program's functions.

Laid beside `mlgym_kit.py`, which starts it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
import time
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, cast

    from mlgym.task.kit import FOLDER, Pipe, load_module, pack_values, unpack_values
else:
    from mlgym_kit import FOLDER, cast, load_module, pack_values, unpack_values


class Shim:
    """Answers the referee's requests with the submitted program's functions."""

    def __init__(self) -> None:
        self._subject: Any = None
        self._state: Any = None
        self._histories: list[list[tuple[Any, Any]]] = []
        self._moves: list[Any] = []

    def load(
        self, path: str, seed: int, instead: str | None = None, alone: bool = False
    ) -> list[Any]:
        random.seed(seed)
        if alone and importlib.util.find_spec("numpy") is not None:
            importlib.import_module("numpy")  # its libraries start threads, as nothing can later
        seed_numpy(seed % 2**32)
        file = os.path.join(FOLDER, path)
        if instead is not None:
            with open(file, "w") as out:
                out.write(instead)
        if alone:
            be_alone()
        self._keep(load_module(file, os.path.splitext(os.path.basename(path))[0]))
        return [None]

    def build(self, function: str, *arguments: Any) -> list[Any]:
        self._keep(self._function(function)(*arguments))
        return [None]

    def call(self, function: str, *arguments: Any) -> list[Any]:
        return [self._function(function)(*arguments)]

    def each(self, function: str, many: list[list[Any]]) -> list[Any]:
        found = self._function(function)
        return [[plain(found(*arguments)) for arguments in many]]

    def step(self, function: str, *arguments: Any) -> list[Any]:
        pair = self._function(function)(*arguments, self._state)
        if not isinstance(pair, tuple) or len(cast("tuple[Any, ...]", pair)) != 2:
            raise TypeError(f"{function}() must return a pair, its answer and its next state")
        answer, self._state = cast("tuple[Any, Any]", pair)
        return [answer]

    def play(self, function: str, last: Any) -> list[Any]:
        if isinstance(last, int):
            self._histories = [[] for _ in range(last)]
        else:
            others = plain_list(last)
            if set(map(type, others)) != {int}:
                others = [plain(other) for other in others]
            rounds = zip(self._moves, others, strict=True)
            for history, both in zip(self._histories, rounds, strict=True):
                history.append(both)
        strategy = self._function(function)
        # A copy for each call: what a strategy does to its history is its own affair. Most moves
        # are numbers, and for those a call of `plain` would take as long as many a strategy.
        self._moves = [
            move if type(move := strategy(history.copy())) is int else plain(move)
            for history in self._histories
        ]
        return [self._moves]

    def _keep(self, subject: Any) -> None:
        self._subject, self._state = subject, None

    def _function(self, name: str) -> Callable[..., Any]:
        found = getattr(self._subject, name, None)
        if not callable(found):
            module = isinstance(self._subject, ModuleType)
            what = "the submitted file" if module else f"what was loaded, {self._subject!r:.100},"
            raise AttributeError(f"{what} has no function {name}()")  # noqa: TRY004
        return found


def be_alone() -> None:
    """End every other process in the sandbox, and start none from now on."""
    import contextlib
    import resource
    import signal

    # All that it may signal, but for itself; on a busy machine they take a while to be gone.
    with contextlib.suppress(ProcessLookupError):
        for _ in range(2000):
            os.kill(-1, signal.SIGKILL)
            time.sleep(0.001)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def echo(*values: Any) -> list[Any]:
    """The answer to nothing."""
    del values
    return [None]


def seed_numpy(seed: int) -> None:
    """Seed `numpy.random` now where numpy was imported, else when it is.

    Importing it takes longer than most programs that do without it run.
    """
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    else:
        sys.meta_path.insert(0, cast("Any", _SeedNumpy(seed)))


class _SeedNumpy:
    """Steps in once, when numpy is looked for, to seed it after it was executed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        del path, target
        if name != "numpy":
            return None
        sys.meta_path.remove(cast("Any", self))
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load: Any = spec.loader.exec_module

        def load_and_seed(module: Any) -> None:
            load(module)
            module.random.seed(self._seed)

        cast("Any", spec.loader).exec_module = load_and_seed
        return spec


def plain_list(moves: Any) -> list[Any]:
    """Moves that came as JSON, or, where they are many, as an array."""
    return cast("list[Any]", moves) if isinstance(moves, list) else moves.tolist()


def plain(move: Any) -> Any:
    """A move as plain JSON: numpy's numbers and arrays, tuples and lists become ours."""
    if hasattr(move, "tolist"):
        move = move.tolist()
    if not isinstance(move, list | tuple):
        return move
    parts: Sequence[Any] = cast("Any", move)
    return tuple([part if type(part) is int else plain(part) for part in parts])


def serve(pipe: Pipe) -> None:
    """Serve requests until the host goes away."""
    shim = Shim()
    requests: dict[str, Callable[..., list[Any]]] = {
        "load": shim.load,
        "echo": echo,
        "build": shim.build,
        "call": shim.call,
        "each": shim.each,
        "step": shim.step,
        "play": shim.play,
    }
    while True:
        try:
            header, body = pipe.receive()
        except EOFError:
            return
        ticket = header["ticket"]
        try:
            values = unpack_values(header["values"], body)
            request = header["player"]
            items, data = pack_values(requests[request](*values), listed=request == "play")
            pipe.send({"ticket": ticket, "values": items}, data)
        except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, it is the program's
            pipe.send({"ticket": ticket, "error": _own_traceback()})


def _own_traceback() -> str:
    """The traceback of the submitted program, without the lines of this file."""
    kind, value, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__ and trace.tb_next:
        trace = trace.tb_next
    try:
        import traceback

        return "".join(traceback.format_exception(kind, value, trace))[-4000:]
    except Exception:  # noqa: BLE001 - the program has broken what that needs
        return f"{getattr(kind, '__name__', kind)}: {value}"[-4000:]
