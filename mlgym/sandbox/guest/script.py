"""What bash is told, and the descriptors and names by which it is told.

Bash reads these lines from a control pipe. A command's text lies in a memfd that bash sources, its
stdin is /dev/null and its output a named pipe; its exit status comes on a pipe of its own, of which
the command's children hold no copy. Nothing is ever recognised by a printed marker.

It is told in two lines: an error may take the rest of its line with it (`return 1 2` does), and the
status must be told all the same.

Bash reads the control pipe a character at a time, so that whole lines for each command would cost
as much as many a command: they are aliases. Where a command took the first away, a function of its
name says so, and the line is sent whole: a function must not source the text, of which it would
make a part of its own, local variables and all. The second's function does as the alias does.
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
# What the text does to its output by `exec` is undone with the other two.
_SOURCE = rf"\. {TEXT} >{OUTPUT} 2>&1 {STATUS_FD}>&-"
_TELL = rf'\builtin echo "$?">&{STATUS_FD}'
_FIRST, _SECOND = CALLS = ("@_", "@-")
"""What the two lines are called by: nobody's names, and short."""
AGAIN = -1
"""In the place of a status: nothing was run, the first line is to be sent whole."""
_AGAIN = b"again"
START = (
    # Between commands bash has no output: what is not there need be neither kept nor restored.
    f"exec {CONTROL_FD}<&- >&- 2>&-;shopt -s expand_aliases;"
    f"{_FIRST}(){{ \\builtin echo {_AGAIN.decode()}>&{STATUS_FD};}};"
    f'{_SECOND}(){{ {_TELL} "$1" "$2";}};'
    f"readonly -f {_FIRST} {_SECOND};alias {_FIRST}='{_SOURCE}' {_SECOND}='{_TELL}'\n"
).encode()
# What is last on a line is `$_` in the next command, which must not be drawn at random.
_SHORT, _WHOLE = (f"{first}\n{_SECOND} %b 0\n".encode() for first in (_FIRST, _SOURCE))
_TOKEN_BYTES, _TOKEN_LENGTH = 3, 4
_NO_SIGNS = bytes.maketrans(b"+/", b"xy")
PIECE = 1 << 16
"""The most that is read of a command's output at once, in bytes: what a pipe holds."""


def new_token() -> bytes:
    """A word that a command cannot know, so that no other end is taken for its own."""
    return next(new_tokens(1))


def new_tokens(at_once: int = 200) -> Iterator[bytes]:
    """Token after token; so many are made at once."""
    while True:
        drawn = binascii.b2a_base64(os.urandom(_TOKEN_BYTES * at_once), newline=False)
        words = drawn.translate(_NO_SIGNS)
        for begin in range(0, len(words), _TOKEN_LENGTH):
            yield words[begin : begin + _TOKEN_LENGTH]


def run_line(token: bytes, *, whole: bool = False) -> bytes:
    """What bash is told for one command."""
    return (_WHOLE if whole else _SHORT) % token


def parse_status(said: bytes, token: bytes) -> int | None:
    """The exit status told under `token` in what came through the status pipe; None if not yet.

    `AGAIN` where the first line must be sent whole.
    """
    told = b" %b 0" % token
    again = False
    for line in said.splitlines():
        again = again or line == _AGAIN
        status = line.removesuffix(told)
        if status.isdigit() and len(status) < 4 and len(status) < len(line):
            return AGAIN if again else int(status) & 0xFF
    return None
