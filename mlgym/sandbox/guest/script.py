"""What bash is told, and the descriptors and names by which it is told.

Bash reads these lines from a control pipe. A command's text lies in a memfd that bash sources, with
stdin from /dev/null and its output to a named pipe; its exit status comes on a pipe of its own, of
which the command's children hold no copy. Nothing is ever recognised by a printed marker.

Bash reads the control pipe a character at a time, so that a whole line for each command would cost
as much as many a command. It is an alias therefore. Where a command took the alias away, a function
of that name says so, and the line is sent whole: the function itself must not source the text, of
which it would make a part of its own, local variables and all.
"""

from __future__ import annotations

import binascii
import os

from .light import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IO = "/run/sh"
"""A small tmpfs of the guest's own: the output pipe, and the name under which text is sourced."""
TEXT = f"{IO}/bash"
OUTPUT = f"{IO}/output"
CONTROL_FD, STATUS_FD, TEXT_FD = 250, 251, 252
# Backslashes keep aliases off; the redirection of STATUS_FD hides it from what the text starts.
_WHOLE = rf"\. {TEXT} </dev/null >{OUTPUT} 2>&1 {STATUS_FD}>&-;\builtin echo $?>&{STATUS_FD}"
CALL = "@_"
"""The name of the alias, and of the function behind it: nobody's own, and short."""
AGAIN = -1
"""In the place of a status: nothing was run, the line is to be sent whole."""
_AGAIN = "again"
START = (
    f"exec {CONTROL_FD}<&-;shopt -s expand_aliases;"
    f'{CALL}(){{ \\builtin echo {_AGAIN} "$1">&{STATUS_FD};}};readonly -f {CALL};'
    f"alias {CALL}='{_WHOLE}'\n"
).encode()
_TOKEN_BYTES, _TOKEN_LENGTH = 3, 4
_NO_SIGNS = bytes.maketrans(b"+/", b"xy")
PIECE = 1 << 16
"""The most that is read of a command's output at once, in bytes: what a pipe holds."""


def new_token() -> str:
    """A word that a command cannot know, so that no other end is taken for its own."""
    return next(new_tokens(1))


def new_tokens(at_once: int = 200) -> Iterator[str]:
    """Token after token; so many are made at once."""
    while True:
        drawn = binascii.b2a_base64(os.urandom(_TOKEN_BYTES * at_once), newline=False)
        words = drawn.translate(_NO_SIGNS).decode()
        for begin in range(0, len(words), _TOKEN_LENGTH):
            yield words[begin : begin + _TOKEN_LENGTH]


def run_line(token: str, *, whole: bool = False) -> bytes:
    """What bash is told for one command."""
    return f"{_WHOLE if whole else CALL} {token}\n".encode()


def parse_status(said: bytes, token: str) -> int | None:
    """The exit status told under `token` in what came through the status pipe; None if not yet.

    `AGAIN` where the line must be sent whole.
    """
    for line in said.split(b"\n")[:-1]:
        status, _, word = line.partition(b" ")
        if word == token.encode():
            if status == _AGAIN.encode():
                return AGAIN
            if status.isdigit() and len(status) < 4:
                return int(status) & 0xFF
    return None
