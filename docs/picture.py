"""Draws `assets/live.svg`: the last screen of a real command, run in a terminal of its own.

    .venv/bin/python docs/picture.py .venv/bin/mlgym run --task house_price --agent oracle

Run it anew when the live view changes. What the terminal was sent is replayed as far as `rich` uses
a terminal: colours, carriage return, cursor up, erase line.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 100, 40
PICTURE = Path(__file__).with_name("assets") / "live.svg"
CONTROL = re.compile(r"(\r|\n|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])")
# The picture must look the same where nothing can be fetched: no web font.
SVG = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def record(command: list[str]) -> str:
    """Everything that `command` wrote to its terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:  # Linux says EIO once the other side is closed
            break
    os.close(ours)
    if running.wait():
        sys.exit(f"{command} ended with {running.returncode}:\n{written.decode()}")
    return written.decode()


def last_screen(written: str) -> list[str]:
    """The lines that are on the screen at the end."""
    lines, at = [""], 0
    for part in CONTROL.split(written.replace("\r\n", "\n")):
        if part == "\n":
            at += 1
            if at == len(lines):
                lines.append("")
        elif part.endswith("A") and part.startswith("\x1b["):
            at = max(0, at - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[at] = ""
        elif part and part != "\r" and not part.startswith("\x1b[?25"):
            lines[at] += part
    return lines


def main() -> None:
    command = sys.argv[1:]
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    shown = " ".join([Path(command[0]).name, *command[1:]])
    console.print(Text(f"$ {shown}", style="bold"))
    for line in last_screen(record(command)):
        console.print(Text.from_ansi(line))
    console.save_svg(str(PICTURE), title="mlgym", code_format=SVG)


if __name__ == "__main__":
    main()
