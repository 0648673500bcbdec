"""`mlgym grade`: scores files without an episode, or a run's final workspace again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import DataProfile, DataSeed, Json, RunsFolder, SandboxName
from mlgym.cli.output import note, show, show_json
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.task.spec import Task
    from mlgym.task.submission import Files


def grade(
    task: Annotated[
        str | None, typer.Argument(help="A task's name or folder.", metavar="[TASK]")
    ] = None,
    path: Annotated[
        Path | None,
        typer.Argument(help="A folder with the submission, or its only file.", metavar="[PATH]"),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Grade this run's final workspace instead.", metavar="RUN"),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="validation or test.", metavar="SPLIT")
    ] = "test",
    data: DataProfile = "auto",
    data_seed: DataSeed = 0,
    sandbox: SandboxName = "auto",
    out: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Score files as an episode would, in the grading sandbox. Exit code 1 if they cannot be."""
    from mlgym.task.data import choose_profile
    from mlgym.task.spec import find_task

    if split not in ("validation", "test"):
        raise ConfigError(f"--split: found {split!r}, expected: validation or test")
    if run is not None:
        if task is not None or path is not None:
            raise ConfigError("--run names task and files by itself: leave TASK and PATH out")
        from mlgym.runs.regrade import recorded_submission
        from mlgym.runs.store import find_run

        folder = find_run(run, out)
        record = folder.record()
        found = find_task(record["config"]["task"])
        if found.sha256 != record["task_sha256"]:
            note(f"{found.spec.id} has changed since the run was made")
        profile, data_seed = record["profile"], record["data_seed"]
        files = recorded_submission(folder, found.spec.submission)
    else:
        if task is None or path is None:
            raise ConfigError("name a TASK and a PATH, or a run with --run")
        from mlgym.task.submission import read_folder

        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder")
        found = find_task(task)
        profile = choose_profile(found, data, data_seed)
        files = read_folder(path, found.spec.submission)
    _grade(found, files, split, profile, data_seed, sandbox, json)


def _grade(
    task: Task, files: Files, split: str, profile: str, data_seed: int, sandbox: str, json: bool
) -> None:
    from mlgym.reward import make_scorer
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.sandbox.backends import choose_backend, load_backend
    from mlgym.task.grading import Grader

    name = choose_backend(sandbox, task.spec.resources.gpus)
    backend = load_backend(name)
    ready_image(task, name, note)
    prepared = ready_data(task, profile, data_seed, note)
    with Grader(task, prepared, backend) as grader:
        metrics = grader.grade(files, "validation" if split == "validation" else "test")
    primary = task.spec.primary.name
    normalized = make_scorer(task.spec, profile).normalized(metrics[primary])
    values = task.spec.profile(profile)
    result: dict[str, Any] = {
        "task": task.spec.id,
        "task_version": task.spec.version,
        "profile": profile,
        "data_seed": data_seed,
        "split": split,
        "metrics": metrics,
        "primary": primary,
        "normalized": normalized,
        "baseline": dict(values.baseline),
        "target": dict(values.target),
    }
    if json:
        show_json(result)
        return
    for metric, value in metrics.items():
        marks = (
            f"{word} {found[metric]:.6g}"
            for word, found in (("baseline", values.baseline), ("target", values.target))
            if metric in found
        )
        where = f"on the {split} split of the {profile} data"
        show(f"{metric}: {value:.6g} {where}  ({', '.join(marks)})")
    show(f"score: {normalized:.4f}  (0 is the baseline, 1 the target)")
