"""`mlgym replay`: runs the actions of a recorded run again and compares what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import Json, RunsFolder
from mlgym.cli.output import note, one_line, show, show_json
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.config import RunConfig
    from mlgym.runs.store import RunFolder
    from mlgym.types import Transition

_SHOWN = 100


def replay(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's folder or id, or a trajectory.jsonl with its run.json beside it"
            " (or --task).",
            metavar="RUN",
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="The task, if it is not the recorded one.")
    ] = None,
    sandbox: Annotated[
        str | None,
        typer.Option("--sandbox", help="If it is not the recorded one.", metavar="NAME"),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Only the score matters: does it come out again?"),
    ] = False,
    out: RunsFolder = Path("runs"),
    json: Json = False,
) -> None:
    """Run recorded actions again. Exit code 1 if observations, exit codes or scores differ.

    With --verify observations may differ, and exit code 1 says that the score does.
    """
    from mlgym.agent_loader import find_agent
    from mlgym.runs.again import make_env_again
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.runs.verifying import ending
    from mlgym.runs.verifying import verify as compared
    from mlgym.trajectory import replay as again

    config, folder, recorded, record = _recorded(run, out, task, sandbox)
    ended = ending(record) if verify else None
    env = make_env_again(config, find_agent(config.agent), folder, recorded)
    ready_image(env.task, env.sandbox_name, note)
    ready_data(env.task, env.profile, config.data_seed, note)
    differences: list[dict[str, Any]] = []
    steps, score = 0, None
    with env:
        for transition, found in again(env, recorded, config.seed, ended):
            steps += 1
            differences += [
                {
                    "step": each.step,
                    "field": each.field,
                    "recorded": each.recorded,
                    "found": each.found,
                }
                for each in found
            ]
            if not json:
                mark = ", ".join(each.field for each in found)
                action = one_line(transition.action or transition.tool, _SHOWN)
                show(f"[{transition.step}] {action}  {f'DIFFERS: {mark}' if mark else 'same'}")
                for each in found:
                    show(f"    {each.field}, recorded: {one_line(str(each.recorded), _SHOWN)}")
                    show(f"    {each.field}, now:      {one_line(str(each.found), _SHOWN)}")
        score = compared(env, record) if verify else None
    if steps < len(recorded):
        where = {"recorded": len(recorded), "found": steps}
        differences.append({"step": steps, "field": "length", **where})
    if json:
        told = {} if score is None else {"score": score.to_json()}
        show_json({"run": run, "steps": steps, "differences": differences, **told})
    else:
        show(f"{steps} of {len(recorded)} replayed, {len(differences)} differences")
        if score is not None:
            show(f"score, recorded: {_metrics(score.recorded)}")
            show(f"score, now:      {_metrics(score.found)}")
            differing = ", ".join(score.differing)
            show(f"the score differs: {differing}" if differing else "the score came out again")
    if (score is None and differences) or not (score is None or score.holds):
        raise typer.Exit(1)


def _metrics(metrics: Mapping[str, float] | None) -> str:
    if metrics is None:
        return "none"
    return ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())


def _recorded(
    wanted: str, out: Path, task: str | None, sandbox: str | None
) -> tuple[RunConfig, RunFolder, list[Transition], Mapping[str, Any]]:
    """What to make the environment of, the run's folder, the transitions, and the record if any."""
    from mlgym.config import RunConfig
    from mlgym.runs.store import RECORD, RunFolder, find_run
    from mlgym.trajectory import read_trajectory

    file = Path(wanted)
    changed: dict[str, Any] = {
        name: value for name, value in (("task", task), ("sandbox", sandbox)) if value is not None
    }
    if file.is_file():
        transitions = read_trajectory(file)
        folder = RunFolder(file.parent)
        if not (file.parent / RECORD).is_file():
            if task is None:
                raise ConfigError(
                    f"{wanted}: no {RECORD} lies beside it: name the task with --task"
                )
            return RunConfig.make(agent="baseline", **changed), folder, transitions, {}
    else:
        folder = find_run(wanted, out)
        transitions = folder.transitions()
    if not transitions:
        raise ConfigError(f"{wanted}: nothing was recorded")
    record = folder.record()
    if "imported" in record["config"]:
        raise ConfigError(f"{wanted}: found an imported run, expected one that was played here")
    config = {
        **record["config"],
        "data": record["profile"],
        "sandbox": record["sandbox"],
        **changed,
    }
    return RunConfig.make(**config), folder, transitions, record
