"""The figures of a sheet, as PNG and SVG: profiles, score against step, score against cost."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlgym.report.area import Areas, Profile
from mlgym.report.bootstrap import Estimate, mean_estimate
from mlgym.report.curves import Curve
from mlgym.report.entries import Sheet, Variant
from mlgym.report.style import RC, Look, looks
from mlgym.report.tables import label

_INCHES = (7.0, 4.3)
_LEGEND_ROW = 0.22


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure. `caption` says in words what is to be seen."""

    name: str
    caption: str
    png: bytes
    svg: bytes


def profile_plots(sheet: Sheet, found: Areas) -> list[Plot]:
    """The performance profiles behind AUP, one figure for each variant."""
    return [
        _profile_plot(sheet, variant, profile, found.definition)
        for variant, profile in found.profiles.items()
    ]


def _profile_plot(sheet: Sheet, variant: Variant, profile: Profile, definition: str) -> Plot:
    strict = definition == "strict"
    across = (
        "gap: part of the way from baseline to target that is missing"
        if strict
        else "log10 of how many times worse than the best"
    )

    def draw(axes: Any, known: Mapping[str, Look]) -> None:
        for column, method in enumerate(profile.methods):
            look = known[method]
            share = profile.share[:, column]
            line = {"color": look.colour, "linestyle": look.line, "linewidth": 1.8}
            axes.step(profile.at, share, where="post", label=look.label, **line)
        axes.set(xlabel=across, ylabel="share of tasks", ylim=(-0.02, 1.04))
        axes.set_title(f"{label(sheet, variant)}: performance profiles ({definition})")

    caption = (
        f"Performance profiles by {label(sheet, variant)}: the share of tasks on which each method"
        f" is at most so far off ({across}). AUP is the area below. No intervals are drawn here:"
        " those of the areas stand in the table."
    )
    return _plot(f"profiles_{variant}", caption, sheet, draw)


def step_plot(sheet: Sheet, curves: Sequence[Curve], note: str) -> Plot | None:
    """The best validation so far against steps, with 95 % bands."""
    if not curves:
        return None

    def draw(axes: Any, known: Mapping[str, Look]) -> None:
        for curve in curves:
            look = known[curve.model]
            line = {"color": look.colour, "linestyle": look.line, "linewidth": 1.8}
            axes.step(curve.steps, curve.mean, where="post", label=look.label, **line)
            if curve.low is not None and curve.high is not None:
                band = {"color": look.colour, "alpha": 0.15, "linewidth": 0, "step": "post"}
                axes.fill_between(curve.steps, curve.low, curve.high, **band)
        axes.set(xlabel="step", ylabel="best validation so far (0 baseline, 1 target)")
        axes.set_ylim(-0.02, 1.04)
        axes.set_title("Score against step (validation)")

    bare = [curve.model for curve in curves if curve.low is None]
    told = f" Without a band, for a single run on a task: {', '.join(bare)}." if bare else ""
    caption = f"Best validation score so far against steps, mean and 95 % band. {note}{told}"
    return _plot("score_by_step", caption, sheet, draw)


def cost_plot(sheet: Sheet) -> Plot | None:
    """Each model's mean score against its mean cost a run, with both intervals."""
    points = {model: found for model in sheet.models if (found := _cost_and_score(sheet, model))}
    if not points:
        return None

    def draw(axes: Any, known: Mapping[str, Look]) -> None:
        for model, (cost, score) in points.items():
            look = known[model]
            axes.errorbar(
                cost.value,
                score.value,
                xerr=_around(cost),
                yerr=_around(score),
                color=look.colour,
                marker=look.mark,
                linestyle="none",
                capsize=3,
                label=look.label,
            )
        axes.set(xlabel="cost of a run in USD", ylabel="score (0 baseline, 1 target)")
        axes.set_ylim(-0.02, 1.04)
        axes.set_title("Score against cost (test)")

    caption = (
        "Mean score of a run on the test split, clipped to [0, 1], one without a score at 0,"
        " against its mean cost, with 95 % intervals where there are runs enough. Runs whose cost"
        " is unknown are left out."
    )
    return _plot("score_by_cost", caption, sheet, draw)


def _cost_and_score(sheet: Sheet, model: str) -> tuple[Estimate, Estimate] | None:
    costs: list[float] = []
    scores: list[float] = []
    for task in sheet.tasks:
        for entry in sheet.judged[task.name, model]:
            cost = entry.run.usage.cost_usd if entry.run else None
            if cost is not None:
                place = entry.places["best_submission"]
                costs.append(cost)
                scores.append(0.0 if place is None else min(1.0, max(0.0, place)))
    if not costs:
        return None
    return (
        mean_estimate(np.array(costs), (0.0, math.inf)),
        mean_estimate(np.array(scores), (0.0, 1.0)),
    )


def _around(found: Estimate) -> list[list[float]] | None:
    if found.value is None or found.low is None or found.high is None:
        return None
    return [[found.value - found.low], [found.high - found.value]]


def _plot(
    name: str, caption: str, sheet: Sheet, draw: Callable[[Any, Mapping[str, Look]], None]
) -> Plot:
    # The library's own types are unknown in part.
    with _quiet(), cast("Any", mpl).rc_context(dict(RC)):
        figure = make_figure(sheet.models, draw)
        png, svg = (_saved(figure, kind) for kind in ("png", "svg"))
    return Plot(name, caption, png, svg)


def make_figure(models: Sequence[str], draw: Callable[[Any, Mapping[str, Look]], None]) -> Any:
    """A figure with `draw`'s axes and below them the legend, all of it inside."""
    known = looks(models)
    longest = max(len(look.label) for look in known.values())
    columns = max(1, min(len(known), 88 // (longest + 8)))
    height = _INCHES[1] + _LEGEND_ROW * -(-len(known) // columns)
    figure: Any = Figure(figsize=(_INCHES[0], height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes, known)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    # Laid out once: both formats show the same, and it costs as much as drawing.
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    return figure


def _saved(figure: Any, kind: str) -> bytes:
    out = io.BytesIO()
    # No date inside: the same runs give the same file.
    figure.savefig(out, format=kind, metadata=_UNDATED[kind])
    return out.getvalue()


_UNDATED: Mapping[str, Any] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


@contextmanager
def _quiet() -> Generator[None]:
    """Keeps what matplotlib says of letters that its font lacks from the user's terminal."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            yield
    finally:
        logger.setLevel(before)
