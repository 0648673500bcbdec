"""Who plays a suite: hands, each with one cell at a time. Here, processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from mlgym.runs.suite.matrix import Cell

LOG = "jobs.log"
_PIECE = 1 << 16


class Hand(Protocol):
    """The parent's side of one who plays cells."""

    cell: Cell | None
    gpus: tuple[str, ...]

    def play(self, cell: Cell, gpus: tuple[str, ...], order: Mapping[str, Any]) -> None:
        """Give it a cell. That it has died meanwhile is heard of like any other death."""
        ...

    def dismiss(self) -> None:
        """Nothing more is to be done: it ends by itself."""
        ...

    def stop(self) -> None:
        """Cut off what it plays, which can be gone on with."""
        ...

    def has_ended(self, within_s: float) -> bool:
        """Whether it ends by itself within so many seconds."""
        ...

    def end(self, within_s: float) -> str:
        """Wait for its end so long, kill it then; how it ended, in a few words."""
        ...


Heard = list[tuple[Hand, list[dict[str, Any]] | None]]
"""What hands have said; None of one that is dead."""


class Crew(Protocol):
    """Where hands come from."""

    def hire(self) -> Hand: ...

    def hear(self, within_s: float) -> Heard:
        """What any of them says, waiting so many seconds for the first."""
        ...


class LocalCrew:
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers: list[Worker] = []

    def hire(self) -> Hand:
        self._workers.append(Worker(self._folder))
        return self._workers[-1]

    def hear(self, within_s: float) -> Heard:
        if not self._workers:
            time.sleep(within_s)
            return []
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker, selectors.EVENT_READ, worker)
            ready: list[Worker] = [key.data for key, _ in selector.select(within_s)]
        heard: Heard = []
        for worker in ready:
            said = worker.hear()
            if said is None:
                self._workers.remove(worker)
            heard.append((worker, said))
        return heard


class Worker:
    """A process that plays cells. What it prints goes to `jobs.log` in the suite's folder.

    It is in a session of its own: Ctrl-C is for the parent, which decides what comes of it. `env`
    and `cwd` are as in `subprocess.Popen`.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str] | None = None, cwd: str | None = None
    ) -> None:
        with (folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlgym.runs.suite.worker", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=env,
                cwd=cwd,
            )
        self._heard = b""
        self.cell: Cell | None = None
        self.gpus: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        if self._process.stdout is None:
            raise ValueError("a worker without a pipe")
        return self._process.stdout.fileno()

    def play(self, cell: Cell, gpus: tuple[str, ...], order: Mapping[str, Any]) -> None:
        self.cell, self.gpus = cell, gpus
        line = json.dumps({"cell": cell.to_json(), **order}) + "\n"
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()

    def hear(self) -> list[dict[str, Any]] | None:
        """What it has said, when there is something to read; None when it is dead."""
        piece = os.read(self.fileno(), _PIECE)
        if not piece:
            return None
        *lines, self._heard = (self._heard + piece).split(b"\n")
        return [json.loads(line) for line in lines]

    def dismiss(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """Cut off what it plays; it closes its sandbox and ends."""
        self._process.terminate()

    def has_ended(self, within_s: float) -> bool:
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, within_s: float) -> str:
        try:
            status = self._process.wait(max(0.0, within_s))
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return f"its process ended with status {status}"
