"""What bash is told, and the descriptors and names by which it is told.

Bash reads these lines from a control pipe. A command's text lies in a memfd that bash sources, with
stdin from /dev/null and its output to a named pipe; its exit status comes on a pipe of its own, of
which the command's children hold no copy. Nothing is ever recognised by a printed marker.
"""

from __future__ import annotations

import binascii
import os

IO = "/run/sh"
"""A small tmpfs of the guest's own: the output pipe, and the name under which text is sourced."""
TEXT = f"{IO}/bash"
OUTPUT = f"{IO}/output"
CONTROL_FD, STATUS_FD, TEXT_FD = 250, 251, 252
START = f"exec {CONTROL_FD}<&-; shopt -s expand_aliases\n".encode()
# As short as may be: bash reads it a character at a time. Backslashes keep aliases off; the
# redirection of STATUS_FD hides it from what the text starts.
_SOURCE = rf"\. {TEXT} </dev/null >{OUTPUT} 2>&1 {STATUS_FD}>&-;\builtin echo "
_TELL = rf" $?>&{STATUS_FD}"
_NO_SIGNS = bytes.maketrans(b"+/", b"xy")
PIECE = 1 << 16
"""The most that is read of a command's output at once, in bytes: what a pipe holds."""


def new_token() -> str:
    """A word that a command cannot know, so that no other end is taken for its own."""
    return binascii.b2a_base64(os.urandom(6), newline=False).translate(_NO_SIGNS).decode()


def run_line(token: str) -> bytes:
    """What bash is told for one command."""
    return f"{_SOURCE}{token}{_TELL}\n".encode()


def parse_status(said: bytes, token: str) -> int | None:
    """The exit status told under `token` in what came through the status pipe; None if not yet."""
    for line in said.split(b"\n")[:-1]:
        word, _, status = line.partition(b" ")
        if word == token.encode() and status.isdigit() and len(status) < 4:
            return int(status) & 0xFF
    return None
