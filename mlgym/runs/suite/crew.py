"""The parent's side of a worker: starting it, giving it a cell, hearing of it, ending it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgym.runs.suite.matrix import Cell

LOG = "jobs.log"
_PIECE = 1 << 16


class Worker:
    """A process that plays cells. What it prints goes to `jobs.log` in the suite's folder.

    It is in a session of its own: Ctrl-C is for the parent, which decides what comes of it.
    """

    def __init__(self, folder: Path) -> None:
        with (folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlgym.runs.suite.worker", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
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
        """Give it a cell. That it has died meanwhile is heard of like any other death."""
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
        """Nothing more is to be done: it ends by itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """Cut off what it plays; it closes its sandbox and ends."""
        self._process.terminate()

    def has_ended(self, within_s: float) -> bool:
        """Whether it ends by itself within so many seconds."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, within_s: float) -> int:
        """Wait for its end so long, kill it then; its exit status."""
        try:
            status = self._process.wait(max(0.0, within_s))
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return status
