"""`mlgym eval`: a suite of runs, from its flags or its file to its summary."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mlgym.cli.options import ApiBase, ContextWindow, Json, Price, read_price
from mlgym.cli.output import note, show_json
from mlgym.cli.signals import asked_to_end
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.distributed.crew import RayCrew
    from mlgym.runs.suite.plan import Plan
    from mlgym.runs.suite.supervisor import Stop, SuiteView


def option(name: str, told: str, metavar: str | None = None) -> Any:
    """An option that says nothing where it is not given: the suite's file may."""
    return typer.Option(name, help=told, metavar=metavar, show_default=False)


Words = Annotated[
    list[str] | None,
    typer.Argument(help="A suite's file, and fields instead of its own.", metavar="FILE|K=V"),
]
Text: TypeAlias = str | None
Count: TypeAlias = int | None
Amount: TypeAlias = float | None


def evaluate(
    words: Words = None,
    tasks: Annotated[Text, option("--tasks", "Names or folders, or all.", "A,B")] = None,
    models: Annotated[Text, option("--models", "The models.", "M,N")] = None,
    agents: Annotated[Text, option("--agents", "The agents; toolcaller.", "A,B")] = None,
    seeds: Annotated[Text, option("--seeds", "How many, or which with commas; 1.", "K")] = None,
    data: Annotated[
        Text, option("--data", "auto (full if prepared for all, else mini), mini, full.", "NAME")
    ] = None,
    data_seed: Annotated[
        Count, option("--data-seed", "Other data of the same kind; only 0 is comparable.", "N")
    ] = None,
    jobs: Annotated[Count, option("--jobs", "Episodes at a time; 1.", "N")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The suite's folder: runs/NAME of the file, or a new one.", metavar="DIR"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the suite in --out; else it may be new.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the cells and an estimate; start nothing.")
    ] = False,
    sandbox: Annotated[Text, option("--sandbox", "auto, bubblewrap or docker.", "NAME")] = None,
    max_steps: Annotated[
        Count, option("--max-steps", "Of a run, instead of its task's own.", "N")
    ] = None,
    cost_limit: Annotated[
        Amount, option("--cost-limit", "End a run when its model has cost so much.", "USD")
    ] = None,
    token_limit: Annotated[
        Count, option("--token-limit", "End a run after so many tokens, in and out.", "N")
    ] = None,
    price: Price = None,
    temperature: Annotated[Amount, option("--temperature", "The models'.", "T")] = None,
    context_window: ContextWindow = None,
    fallback: Annotated[
        list[str] | None,
        option("--fallback", "A model to go on with where one fails; may be repeated.", "NAME"),
    ] = None,
    api_base: ApiBase = None,
    runtime: Annotated[
        Text, option("--runtime", "Docker: another OCI runtime, as runsc.", "NAME")
    ] = None,
    literature: Annotated[
        Text, option("--literature", "A service that agents may search: arxiv.", "NAME")
    ] = None,
    gpus: Annotated[Text, option("--gpus", "Those that runs may lease.", "0,1")] = None,
    share_gpus: Annotated[
        bool, typer.Option("--share-gpus", help="Several runs may lease one GPU.")
    ] = False,
    ray: Annotated[
        Text, option("--ray", "Play on the Ray cluster there, or auto; mlgym[ray].", "ADDRESS")
    ] = None,
    rpm: Annotated[Count, option("--rpm", "Requests a minute, for each provider.", "N")] = None,
    tpm: Annotated[Count, option("--tpm", "Tokens a minute, for each provider.", "N")] = None,
    json: Json = False,
) -> None:
    """Run every task with every agent on every model, once for each seed; go on where it stopped.

    Exit code 1 where a run has no valid score, 3 where the infrastructure failed one for good.
    """
    given: dict[str, Any] = {
        "tasks": tasks,
        "models": models,
        "agents": agents,
        "seeds": _seeds(seeds),
        "data": data,
        "data_seed": data_seed,
        "jobs": jobs,
        "out": out,
        "sandbox": sandbox,
        "max_steps": max_steps,
        "cost_limit": cost_limit,
        "token_limit": token_limit,
        "price": read_price(price),
        "temperature": temperature,
        "context_window": context_window,
        "fallbacks": tuple(fallback) if fallback else None,
        "api_base": api_base,
        "runtime": runtime,
        "literature": literature,
        "gpus": gpus,
        "share_gpus": share_gpus or None,
        "rates": _rates(rpm, tpm),
    }
    flags = {name: value for name, value in given.items() if value is not None}
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        content, code = _evaluate(
            words or [], flags, ray, resume=resume, dry_run=dry_run, json=json
        )
    if json:
        show_json(content)
    raise typer.Exit(code)


def _evaluate(
    words: list[str],
    flags: dict[str, Any],
    ray: str | None,
    *,
    resume: bool,
    dry_run: bool,
    json: bool,
) -> tuple[dict[str, Any], int]:
    """What the suite came to, and the exit code that it stands for."""
    from mlgym.cli.eval_told import show_dry_run, show_summary
    from mlgym.cli.eval_view import make_suite_view
    from mlgym.runs.suite import SUITE
    from mlgym.runs.suite.asking import ask
    from mlgym.runs.suite.claims import look, tidy
    from mlgym.runs.suite.crew import LocalCrew
    from mlgym.runs.suite.folder import open_suite, read_plan, settle
    from mlgym.runs.suite.leases import GpuPool
    from mlgym.runs.suite.preparing import check_plan, prepare
    from mlgym.runs.suite.progress import Progress, begin
    from mlgym.runs.suite.summary import exit_code, summarise
    from mlgym.runs.suite.supervisor import Stop, Supervisor

    out: Path | None = flags.get("out")
    config = ask(words, flags, read_plan(out) if out is not None else None)
    folder = (
        out or config.out or Path("runs") / (config.name or time.strftime("eval-%Y%m%d-%H%M%S"))
    )
    if resume and not (folder / SUITE).is_file():
        raise ConfigError(f"--resume: found no suite in {folder}, expected: a folder with {SUITE}")
    plan = settle(config, folder)
    _tell_data(plan)
    far = _far_crew(ray, config.gpus)
    pool = far.pool if far else GpuPool(config.gpus, shared=config.share_gpus)
    wanted = check_plan(plan, plan.cells, pool)
    standings = [look(folder, cell) for cell in plan.cells]
    cells = [
        begin(cell, standing, config.retries)
        for cell, standing in zip(plan.cells, standings, strict=True)
    ]
    jobs = config.jobs
    if far and jobs == 1 and "jobs" not in flags:
        jobs = far.cpus  # Ray itself begins no more than there is room for.
    progress = Progress(cells, jobs)
    if dry_run:
        states = [standing.state for standing in standings]
        return show_dry_run(plan, folder, progress, states, json), 0
    left = [one.cell for one in progress.cells if not one.ended]
    suite = open_suite(config, plan, folder, note)
    for one in progress.cells:
        if one.ended:
            tidy(folder, one.cell)
    if far:
        far.settle(folder, note)
    else:
        prepare(plan, left, note)
    stop = Stop()
    progress.began = time.monotonic()
    with make_suite_view(progress, folder, on_stderr=json) as view, _stopped(stop, view):
        crew = far or LocalCrew(folder)
        Supervisor(suite, progress, crew, pool, wanted, view, stop).play()
    content = summarise(suite, progress)
    if not json:
        show_summary(content)
    if stop.asked:
        note(f"interrupted: `mlgym eval --resume --out {folder}` plays the rest to its end")
        return content, 1
    return content, exit_code(progress)


def _far_crew(address: str | None, gpus: Sequence[str]) -> RayCrew | None:
    if address is None:
        return None
    from mlgym.distributed.crew import RayCrew

    if gpus:
        raise ConfigError(f"--gpus: found {','.join(gpus)} beside --ray, which leases GPUs itself")
    return RayCrew(address)


def _tell_data(plan: Plan) -> None:
    if plan.config.data == "auto":
        has = "has" if plan.data == "full" else "has not"
        note(f"data: {plan.data}, as the full data {has} been prepared for every task that has any")


def _stopped(stop: Stop, view: SuiteView) -> contextlib.AbstractContextManager[None]:
    """Who asks for an end cuts off what runs: it is gone on with later."""

    def ask(number: int, frame: object) -> None:
        del number, frame
        stop.asked += 1
        if stop.asked == 1:
            view.note("stopping: what runs is cut off, and can be gone on with")

    return asked_to_end(ask)


def _seeds(text: str | None) -> int | list[int] | None:
    """What `--seeds` says: a number of seeds, or which."""
    if text is None:
        return None
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(
            f"--seeds: found {text!r}, expected: a number of seeds, or seeds with commas"
        ) from None
    return found if "," in text else found[0]


def _rates(rpm: int | None, tpm: int | None) -> dict[str, Any] | None:
    if rpm is None and tpm is None:
        return None
    return {"*": {"rpm": rpm, "tpm": tpm}}
