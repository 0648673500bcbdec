"""How figures look: one colour and line for each model wherever it appears, told apart by anyone.

Colours are those of Okabe and Ito and one more, which people who see few colours can tell apart;
lines and marks change with them, for print in grey and for lines that cover others. The baseline is
always black and dotted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgym.report.entries import BASELINE
from mlgym.report.formats import visible

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255")
_LINES = ("-", "--", "-.", (0, (6, 1, 1, 1, 1, 1)))
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LONGEST = 40

RC: Mapping[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "axes.spines.top": False,
    "axes.spines.right": False,
    # A model may be called `$x$`: names are never read as formulas. Paths need no font to be seen.
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "mlgym",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one model is drawn."""

    label: str
    colour: str
    line: Any
    mark: str


def looks(models: Sequence[str]) -> dict[str, Look]:
    """The look of each model, by its place among all of them, and of the baseline."""
    found: dict[str, Look] = {}
    for place, model in enumerate(models):
        found[model] = Look(
            short(model),
            COLOURS[place % len(COLOURS)],
            _LINES[place % len(_LINES)],
            _MARKS[place % len(_MARKS)],
        )
    found[BASELINE] = Look(BASELINE, "#000000", ":", "x")
    return found


def short(name: str) -> str:
    """A name that fits beside a plot: the middle of a long one is left out."""
    name = visible(name)
    # A legend leaves out what begins with an underscore.
    name = f" {name}" if name.startswith("_") else name
    half = (_LONGEST - 3) // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}...{name[-half:]}"
