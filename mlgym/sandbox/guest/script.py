"""What bash is told, and the descriptors and names by which it is told.

Bash reads these lines from a control pipe. A command's text lies in a memfd that bash sources, with
stdin from /dev/null and its output to a named pipe; its exit status comes on a pipe of its own, of
which the command's children hold no copy. Nothing is ever recognised by a printed marker.
"""

from __future__ import annotations

IO = "/run/sh"
"""A small tmpfs of the guest's own: the output pipe, and the name under which text is sourced."""
TEXT = f"{IO}/bash"
OUTPUT = f"{IO}/output"
CONTROL_FD, STATUS_FD, TEXT_FD = 250, 251, 252
START = f"exec {CONTROL_FD}<&-; shopt -s expand_aliases\n".encode()
# Backslashes keep aliases off; the redirection of STATUS_FD hides it from what the text starts.
RUN = (
    rf"\. {TEXT} </dev/null >{OUTPUT} 2>&1 {STATUS_FD}>&-; \builtin echo $? >&{STATUS_FD}" + "\n"
).encode()
PIECE = 1 << 16
"""The most that is read of a command's output at once, in bytes: what a pipe holds."""


def parse_status(said: bytes) -> int | None:
    """The exit status in what came through the status pipe, None for its end or for nonsense."""
    try:
        return int(said.split()[-1]) & 0xFF
    except (IndexError, ValueError):
        return None
