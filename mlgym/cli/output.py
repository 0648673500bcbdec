"""How commands print: results on standard output, all that is said on the way on standard error.

Much of what is shown was written by agents, tasks and models. `plain` takes from it what a terminal
would obey, and nothing is ever read as rich's markup.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_OBEYED = re.compile(
    # Control characters but tab and newline; marks that turn the direction of text or end a line;
    # halves of surrogate pairs, which cannot be encoded.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_GAP = "  "


def plain(text: str) -> str:
    """`text` with everything that a terminal would obey written out, as `\\x1b`."""
    text = text.replace("\r\n", "\n")
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str, width: int) -> str:
    """The first line of `text` that is not blank, plain, cut to `width` characters."""
    line = next((line for line in plain(text).split("\n") if line.strip()), "").strip()
    line = line.expandtabs(2)
    return line if len(line) <= width else line[: max(0, width - 3)] + "..."


def note(text: str) -> None:
    """Say something on the way: on standard error."""
    print(plain(text), file=sys.stderr, flush=True)


def show(text: str) -> None:
    """Print a result."""
    print(plain(text), flush=True)


def show_json(value: Any) -> None:
    """Print a result as JSON, laid out as in `run.json`."""
    print(json.dumps(value, indent=2), flush=True)


def make_console(*, on_stderr: bool = False) -> Console:
    """A console that takes nothing for markup."""
    from rich.console import Console

    return Console(stderr=on_stderr, markup=False, emoji=False, highlight=False)


def make_live(console: Console, render: Callable[[], RenderableType]) -> Live:
    """What `render` gives, at the foot of the terminal, drawn anew four times a second."""
    from rich.live import Live

    return Live(
        get_renderable=render,
        console=console,
        refresh_per_second=4,
        transient=True,
        # What goes elsewhere must not end up on the terminal.
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    )


def print_above(console: Console, line: str) -> None:
    """A line of what was said on the way, above what is live."""
    from rich.text import Text

    console.print(Text(plain(line)), soft_wrap=True)


def show_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in aligned columns; on a terminal the last column is wrapped."""
    from rich.table import Table
    from rich.text import Text

    cells = [[plain(str(cell)) for cell in row] for row in rows]
    console = make_console()
    if not console.is_terminal:
        _show_columns([list(head), *cells])
        return
    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, no_wrap=place < len(head) - 1, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _show_columns(rows: list[list[str]]) -> None:
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(_GAP.join(padded).rstrip(), flush=True)


def seconds(value: float) -> str:
    """A duration for people: `0.4 s`, `3 min 05 s`, `2 h 07 min`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def money(value: float | None) -> str:
    """US dollars for people."""
    return "unknown" if value is None else f"${value:.4f}" if value < 1 else f"${value:.2f}"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
