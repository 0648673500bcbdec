"""What `train_lm.py` makes of its runs: one file of figures, one of numbers by update, a plot."""

from __future__ import annotations

import csv
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = {"learning": "#0072B2", "shuffled": "#999999"}


def machine(device: str) -> dict[str, Any]:
    """What a run was made with."""
    import torch

    on_gpu = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "mlgym")},
    }


def runs_in(folder: Path) -> list[dict[str, Any]]:
    """The runs that have ended, by arm and seed."""
    found = [json.loads(path.read_text()) for path in folder.glob("*-*.json")]
    return sorted(found, key=lambda run: (run["arm"], run["seed"]))


def quarters(run: dict[str, Any]) -> tuple[float, float]:
    """Mean return of the first and of the last quarter of the updates, at least one each."""
    means = [update["return"] for update in run["updates"]]
    size = max(1, len(means) // 4)
    return float(np.mean(means[:size])), float(np.mean(means[-size:]))


def summary(folder: Path) -> str:
    """A line a run."""
    lines = []
    for run in runs_in(folder):
        first, last = quarters(run)
        lines.append(
            f"{run['arm']}, seed {run['seed']}: first quarter {first:.3f}, last quarter {last:.3f}"
            f" ({len(run['updates'])} updates in {run['seconds']:.0f} s)"
        )
    return "\n".join(lines)


def write_curves(folder: Path) -> None:
    """`curve.json`, `curve.csv` and `curve.png` of all runs in the folder."""
    runs = runs_in(folder)
    for run in runs:
        run["first_quarter"], run["last_quarter"] = (round(each, 4) for each in quarters(run))
    lines = ",\n".join(json.dumps(run) for run in runs)
    (folder / "curve.json").write_text(f'{{"runs": [\n{lines}\n]}}\n')
    with (folder / "curve.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["arm", "seed", "update", "return"])
        for run in runs:
            for number, update in enumerate(run["updates"], 1):
                rows.writerow([run["arm"], run["seed"], number, round(update["return"], 4)])
    draw(runs, folder / "curve.png")


def draw(runs: list[dict[str, Any]], out: Path) -> None:
    """Mean return by update, a line a run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    named = set()
    for run in runs:
        means = [update["return"] for update in run["updates"]]
        label = None if run["arm"] in named else run["arm"]
        named.add(run["arm"])
        axes.plot(np.arange(len(means)) + 1, means, color=COLOURS[run["arm"]], label=label)
    axes.set(xlabel="updates", ylabel="mean return", ylim=(-0.02, 1.05))
    axes.legend(loc="upper left")
    figure.savefig(out, dpi=150)
