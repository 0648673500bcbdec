"""`mlgym tasks baseline`: measures what an author commits as baseline and target."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.check import backend_of, profile_of
from mlgym.cli.options import Json, SandboxName, TaskName, TaskProfile
from mlgym.cli.output import note, seconds, show_json, show_table

if TYPE_CHECKING:
    from mlgym.task.trial import Measurement


def baseline(
    task: TaskName,
    seeds: Annotated[int, typer.Option("--seeds", help="How many runs of each.", min=1)] = 3,
    data: TaskProfile = None,
    sandbox: SandboxName = "auto",
    json: Json = False,
) -> None:
    """Measure a task's baseline and solution on the test split, as numbers to commit."""
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.task.spec import find_task
    from mlgym.task.trial import measure_baseline

    found = find_task(task)
    name, backend = backend_of(found, sandbox)
    ready_image(found, name, note)
    profile = profile_of(found, data)
    prepared = ready_data(found, profile, 0, note)
    measured = measure_baseline(found, prepared, backend, seeds, note)
    metrics = [metric.name for metric in found.spec.metrics]
    if json:
        show_json(
            {
                "task": found.spec.id,
                "profile": profile,
                "sandbox": name,
                "measured": [_measured_json(each, metrics) for each in measured],
            }
        )
        return
    rows = ((each, metric) for each in measured for metric in metrics)
    show_table(
        ("WHAT", "METRIC", "MEAN", "SPREAD", "RUNS", "TIME", "CPU", "GRADING"),
        (
            (
                each.what,
                metric,
                f"{each.mean(metric):.6g}",
                f"{each.spread(metric):.3g}",
                len(each.metrics),
                seconds(statistics.fmean(each.durations_s)),
                _cpu(each),
                seconds(statistics.fmean(each.gradings_s)),
            )
            for each, metric in rows
        ),
    )


def _measured_json(measured: Measurement, metrics: list[str]) -> dict[str, Any]:
    return {
        "what": measured.what,
        "runs": [dict(values) for values in measured.metrics],
        "mean": {name: measured.mean(name) for name in metrics},
        "spread": {name: measured.spread(name) for name in metrics},
        "durations_s": [round(value, 3) for value in measured.durations_s],
        "cpu_s": [None if value is None else round(value, 3) for value in measured.cpu_s],
        "gradings_s": [round(value, 3) for value in measured.gradings_s],
    }


def _cpu(measured: Measurement) -> str:
    """The mean processor time of a run."""
    known = [value for value in measured.cpu_s if value is not None]
    return seconds(statistics.fmean(known)) if known else "-"
