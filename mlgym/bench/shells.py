"""Many reference shells in a bare selector loop: what a vector of environments is held against."""

from __future__ import annotations

import select
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import ECHO
from mlgym.errors import SandboxError


class ShellLoop:
    """`count` shells. A context manager: nothing is acquired before it is entered."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held = ExitStack()
        self._by_fd: dict[int, ReferenceShell] = {}
        self._selector: select.epoll | None = None

    def __enter__(self) -> Self:
        with ExitStack() as held:
            shells = [held.enter_context(ReferenceShell()) for _ in range(self._count)]
            self._selector = held.enter_context(select.epoll())
            for shell in shells:
                self._selector.register(shell.fd, select.POLLIN)
            self._by_fd = {shell.fd: shell for shell in shells}
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()
        self._selector = None

    def ask_all(self) -> None:
        """`echo hi` to all, until the last has answered. Raises SandboxError where one has ended,
        answers otherwise, or the loop was not entered."""
        if self._selector is None:
            raise SandboxError("the reference shells were not started")
        for shell in self._by_fd.values():
            shell.begin(ECHO.encode())
        left = self._count
        while left:
            for fd, _ in self._selector.poll():
                said, _ = self._by_fd[fd].answer()
                if said != b"hi\n":
                    raise SandboxError(f"a reference shell said {said!r:.200}")
                left -= 1
