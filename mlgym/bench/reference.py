"""Reference R: what a persistent shell costs when it does nothing but answer.

A bash that reads its script from a pipe sources a memfd that holds the command's text, with stdin
from /dev/null and its output to one pipe, and writes the exit status to another. No sandbox, no
limit of time or output, no process in between: whatever does more is slower than this.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from mlgym.errors import SandboxError

_PIECE = 1 << 16


class ReferenceShell:
    """A plain bash in `folder`. A context manager: nothing is acquired before it is entered."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held = contextlib.ExitStack()
        self._control = self._status = self._output = self._text = -1
        self._order = b""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Raises SandboxError where it was not started."""
        if self._process is None:
            raise SandboxError("the reference shell was not started")
        return self._process.pid

    def __enter__(self) -> Self:
        control, self._control = os.pipe()
        self._status, status = os.pipe()
        self._output, output = os.pipe()
        self._text = os.memfd_create("text")
        for fd in (self._control, self._status, self._output, self._text):
            self._held.callback(os.close, fd)
        os.set_blocking(self._output, False)
        self._order = f". /proc/self/fd/{self._text} </dev/null; echo $? >&{status}\n".encode()
        try:
            self._process = subprocess.Popen(
                ["bash", "--norc", "--noprofile", f"/dev/fd/{control}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(control, status, self._text),
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            )
        except OSError as error:
            self._held.close()
            raise SandboxError(f"bash, the reference, cannot be started: {error}") from error
        finally:
            # With ours open, the shell's end would not be seen as the end of its pipes.
            for fd in (control, status, output):
                os.close(fd)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._held.close()

    def run(self, text: bytes) -> tuple[bytes, int]:
        """Source `text`; its output, which must fit a pipe (64 KiB), and its exit status.

        Raises SandboxError where the shell has ended.
        """
        self.begin(text)
        return self.answer()

    def stream(self, text: bytes) -> tuple[int, int]:
        """Source `text` that may write any amount; how many bytes it wrote, and its exit status.

        Raises SandboxError where the shell has ended.
        """
        self.begin(text)
        poller = select.poll()
        for fd in (self._status, self._output):
            poller.register(fd, select.POLLIN)
        size = 0
        ended = False
        while not ended:
            # The status may be there with the last of the output: it is drained after that.
            ended = any(fd == self._status for fd, _ in poller.poll())
            size += self._drain()
        return size, self._ended()

    @property
    def fd(self) -> int:
        """Can be read once a text that was begun has ended."""
        return self._status

    def begin(self, text: bytes) -> None:
        """Source `text` without waiting for it. Raises SandboxError where the shell has ended."""
        os.ftruncate(self._text, 0)
        os.pwrite(self._text, text, 0)
        try:
            os.write(self._control, self._order)
        except BrokenPipeError as error:
            raise SandboxError("the reference shell has ended") from error

    def answer(self) -> tuple[bytes, int]:
        """Wait for what was begun; like `run`."""
        status = self._ended()
        try:
            return os.read(self._output, _PIECE), status
        except BlockingIOError:
            return b"", status

    def _ended(self) -> int:
        data = os.read(self._status, 64)
        if not data:
            raise SandboxError("the reference shell has ended")
        return int(data)

    def _drain(self) -> int:
        size = 0
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output, _PIECE):
                size += len(data)
        return size
