"""What a suite shows while it goes: a live matrix on a terminal, a line for each cell on a pipe."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mlgym.cli.output import make_console, make_live, money, one_line, plain, print_above, seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from mlgym.runs.suite.progress import CellProgress, Progress

_MARKS = {"waiting": "·", "elsewhere": "~", "unscored": "none"}
_STYLES = {"scored": "green", "unscored": "yellow", "null": "red", "refused": "red"}
_ROWS_KEPT = 8
_REASON = 200


def cell_line(one: CellProgress, ended: int, total: int) -> str:
    """One cell that has ended, in one line."""
    return f"[{ended}/{total}] {one.cell.key}: {_outcome(one)}"


def _outcome(one: CellProgress) -> str:
    record = one.record
    if record is None or one.now in ("null", "refused"):
        return f"{one.now}: {one_line(one.reason, _REASON)}"
    came = f"score {one.score:.4f}" if one.score is not None else "no valid score"
    steps = f"{record['steps']} step{'' if record['steps'] == 1 else 's'}"
    told = f"{came}, {record['exit_reason']} after {steps}, {seconds(record['duration_s'])}"
    return f"{told}, {money(record['usage']['cost_usd'])}" if record["usage"]["calls"] else told


def facts(progress: Progress) -> str:
    """Where the whole suite stands, in one line."""
    cost, whole = progress.cost_usd()
    parts = [f"{progress.ended} of {len(progress.cells)} cells"]
    rate, left = progress.per_hour(), progress.left_s()
    if rate is not None:
        parts.append(f"{rate:.0f} an hour" if rate >= 10 else f"{rate:.1f} an hour")
    parts.append(f"cost {money(cost)}" if whole else f"cost {money(cost)} and some unknown")
    if progress.failures:
        parts.append(f"{progress.failures} failed tries")
    if progress.ended < len(progress.cells):
        ends = "unknown"
        if left is not None:
            ends = time.strftime("%a %H:%M", time.localtime(time.time() + left))
            ends = f"in about {seconds(left)} ({ends})"
        parts.append(f"ends {ends}")
    return "   ".join(parts)


class PlainSuiteView:
    """A line for each cell that ends."""

    def __init__(self, progress: Progress, title: str, console: Console) -> None:
        self._progress = progress
        self._title = title
        self._console = console
        self._is_deaf = False

    def note(self, line: str) -> None:
        if self._is_deaf:
            return
        try:
            print(plain(line), file=self._console.file, flush=True)
        except BrokenPipeError:
            # Nobody reads any more: the suite is played to its end all the same.
            self._is_deaf = True

    def changed(self, one: CellProgress) -> None:
        if one.ended:
            self.note(cell_line(one, self._progress.ended, len(self._progress.cells)))

    def __enter__(self) -> Self:
        done = self._progress.ended
        self.note(f"{self._title}: {len(self._progress.cells)} cells, {done} done before")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.note(facts(self._progress))


class LiveSuiteView:
    """The lines of a `PlainSuiteView`, and below them the matrix, drawn anew as it changes."""

    def __init__(self, progress: Progress, title: str, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._live = make_live(console, lambda: matrix(progress, title, console.height - 4))

    def note(self, line: str) -> None:
        print_above(self._console, line)

    def changed(self, one: CellProgress) -> None:
        if one.ended:
            self.note(cell_line(one, self._progress.ended, len(self._progress.cells)))

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
        self.note(facts(self._progress))


def make_suite_view(
    progress: Progress, folder: Path, *, on_stderr: bool
) -> PlainSuiteView | LiveSuiteView:
    """The view that fits where the output goes."""
    console = make_console(on_stderr=on_stderr)
    kind = LiveSuiteView if console.is_terminal else PlainSuiteView
    return kind(progress, str(folder), console)


def matrix(progress: Progress, title: str, height: int) -> RenderableType:
    """The suite as it stands: a row for each task, agent and model, a mark for each seed.

    Where it is higher than `height` lines, rows that have ended or wait are left out first.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    rows: dict[tuple[str, str, str | None], list[CellProgress]] = {}
    for one in progress.cells:
        rows.setdefault((one.cell.task, one.cell.agent, one.cell.model), []).append(one)
    # Those where something happens come first, then those that are left, then the others.
    order = sorted(rows.items(), key=lambda row: _urgency(row[1]))
    kept = order[: max(_ROWS_KEPT, height - 4)]
    if len(kept) == len(order):
        kept = list(rows.items())
    table = _grid(kept)
    parts: list[RenderableType] = [Text(facts(progress)), Text(), table]
    if len(kept) < len(order):
        parts.append(Text(f"... {len(order) - len(kept)} more rows", style="dim italic"))
    return Panel(Group(*parts), title=Text(plain(title)), title_align="left", border_style="blue")


def _urgency(row: list[CellProgress]) -> int:
    if any(one.now == "playing" for one in row):
        return 0
    return 1 if any(not one.ended for one in row) else 2


def _grid(rows: list[tuple[tuple[str, str, str | None], list[CellProgress]]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("TASK", "AGENT", "MODEL", "SEEDS"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for (task, agent, model), cells in rows:
        marks = Text()
        for one in cells:
            marks.append(_mark(one).ljust(8), style=_STYLES.get(one.now, "cyan"))
        names = (Text(plain(name)) for name in (task, agent, model or "-"))
        table.add_row(*names, marks)
    return table


def _mark(one: CellProgress) -> str:
    """A cell in seven characters."""
    if one.now == "playing":
        return f"{one.step}/{one.max_steps}" if one.max_steps else "begins"
    if one.now == "scored" and one.score is not None:
        return f"{one.score:.3f}"
    if one.now == "waiting" and one.tries:
        return f"try {one.tries + 1}"
    return _MARKS.get(one.now, one.now)
