"""`mlgym run`: one episode, from its flags to its record."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlgym.cli.options import (
    ApiBase,
    ContextWindow,
    DataProfile,
    DataSeed,
    Json,
    Price,
    RunsFolder,
    SandboxName,
    read_price,
)
from mlgym.cli.output import money, note, one_line, seconds, show, show_json
from mlgym.cli.signals import asked_to_end
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.agent_loader import FoundAgent
    from mlgym.config import RunConfig
    from mlgym.env import MLGymEnv

_EXIT_CODES = {"scored": 0, "unscored": 1, "infrastructure_failure": 3}


def run(
    context: typer.Context,
    task: Annotated[
        str | None, typer.Option("--task", help="A task's name or folder.", metavar="ID")
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            "--agent",
            help="An agent's name or folder, or pkg.module:Class; toolcaller where none is given.",
            metavar="NAME",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The model, by short name or as litellm's.", metavar="NAME"),
    ] = None,
    api_base: ApiBase = None,
    sandbox: SandboxName = "auto",
    data: DataProfile = "auto",
    data_seed: DataSeed = 0,
    seed: Annotated[
        int, typer.Option("--seed", help="Seeds the environment and the model.", metavar="S")
    ] = 0,
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", help="Instead of the task's own.", metavar="N")
    ] = None,
    cost_limit: Annotated[
        float | None,
        typer.Option("--cost-limit", help="End when the model has cost so much.", metavar="USD"),
    ] = None,
    token_limit: Annotated[
        int | None,
        typer.Option("--token-limit", help="End after so many tokens, in and out.", metavar="N"),
    ] = None,
    price: Price = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="The model's.", metavar="T")
    ] = None,
    context_window: ContextWindow = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            "--fallback",
            help="A model to go on with where the one before fails; may be repeated.",
            metavar="NAME",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", help="Docker: another OCI runtime, as runsc.", metavar="NAME"),
    ] = None,
    memory: Annotated[
        Path | None,
        typer.Option("--memory", help="Keep the agent's notes here across runs.", metavar="DIR"),
    ] = None,
    literature: Annotated[
        str | None,
        typer.Option(
            "--literature",
            help="A service that the agent may search: arxiv, or arxiv=URL; off by default.",
            metavar="NAME",
        ),
    ] = None,
    out: RunsFolder = Path("runs"),
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Go on with this run, which was killed.", metavar="RUN"),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Resume only while steps give what they gave before."),
    ] = False,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="A first look without a key: scripted words, all else real."),
    ] = False,
    json: Json = False,
) -> None:
    """Run an agent on a task. Exit code 1 if the run ends without a valid score."""
    from mlgym.config import RunConfig

    if resume is not None:
        _alone(context)
        from mlgym.cli.resume import resumed

        with _stdout_to_stderr(json), _terminated_as_interrupted():
            record, folder = resumed(resume, out, json=json, strict=strict)
        _end(record, folder, json)
    if strict:
        raise ConfigError("--strict belongs to --resume")
    if demo:
        task, agent, model = _demo(task, agent, model)
    if task is None:
        raise ConfigError("--task: found nothing, expected: a task's name or folder")
    fields: dict[str, Any] = {
        "task": task,
        "agent": agent or "toolcaller",
        "model": model,
        "api_base": api_base,
        "sandbox": sandbox,
        "data": data,
        "data_seed": data_seed,
        "seed": seed,
        "max_steps": max_steps,
        "cost_limit": cost_limit,
        "token_limit": token_limit,
        "price": read_price(price),
        "temperature": temperature,
        "context_window": context_window,
        "fallbacks": tuple(fallback or ()),
        "runtime": runtime,
        "memory": memory,
        "literature": literature,
        "out": out,
    }
    config = RunConfig.make(**fields)
    with _stdout_to_stderr(json), _terminated_as_interrupted():
        record, folder = play(config, json)
    _end(record, folder, json)


def _alone(context: typer.Context) -> None:
    """A run that is resumed brings its own configuration."""
    given = [
        name
        for name in context.params
        if str(context.get_parameter_source(name)).endswith("COMMANDLINE")
        and name not in ("resume", "strict", "out", "json")
    ]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"--resume: the run brings its own configuration: leave out {flags}")


def _end(record: dict[str, Any], folder: Path, json: bool) -> NoReturn:
    """Show the record, and leave with the exit code that it stands for."""
    if json:
        show_json(record)
    if not json:
        show(f"run folder: {folder}")
    interrupted = record["exit_reason"] == "interrupted"
    raise typer.Exit(1 if interrupted else _EXIT_CODES[record["status"]])


def _demo(*given: str | None) -> tuple[str, str, str]:
    """Task, agent and model of the demonstration."""
    if any(given):
        raise ConfigError("--demo: brings its own --task, --agent and --model: leave them out")
    note("demo: the words of the model are scripted; sandbox, training and grading are real")
    return "house_price", "toolcaller", "scripted:demo"


def play(
    config: RunConfig,
    json: bool,
    episode: Callable[..., Any] | None = None,
    make: Callable[[RunConfig, FoundAgent], MLGymEnv] | None = None,
) -> tuple[dict[str, Any], Path]:
    """The run's record and its folder. What fails on the way is told as it happens.

    `episode` is called instead of `run_episode`, `make` instead of `make_env`, with the same
    arguments.
    """
    from mlgym.cli.live import make_view
    from mlgym.models.local import ready_model
    from mlgym.runs.leftovers import reap
    from mlgym.runs.ready import ready_data, ready_image
    from mlgym.runs.single import check, make_env, run_episode

    found = check(config)
    env = (make or make_env)(config, found)
    spec = env.task.spec
    if config.data == "auto" and len(spec.profiles) > 1:
        why = (
            "has been prepared"
            if env.profile == "full"
            else f"has not been prepared (`mlgym data prepare {spec.id} --data full`)"
        )
        note(f"data: {env.profile}, as the full data of {spec.id} {why}")
    reap(env.sandbox_name)
    ready_image(env.task, env.sandbox_name, note)
    ready_data(env.task, env.profile, config.data_seed, note)
    ready_model(config.model, note)
    live = not found.spec.interactive
    with make_view(env, config.agent, config.model, on_stderr=json, live=live) as view:
        folder, record, _ = (episode or run_episode)(
            config, found, env, on_transition=view.see, on_action=view.act, log=note
        )
    view.end(_result(record, env), good=record["status"] == "scored")
    return record, folder.path


@contextlib.contextmanager
def _stdout_to_stderr(wanted: bool) -> Generator[None, None, None]:
    """Nothing but the record belongs on standard output, whatever an agent's own code prints."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield


def _terminated_as_interrupted() -> contextlib.AbstractContextManager[None]:
    """Who asks for an end interrupts the run, which is scored and recorded."""

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    return asked_to_end(interrupt)


def _result(record: dict[str, Any], env: MLGymEnv) -> list[str]:
    """What the run came to, a line each."""
    score, usage = record["score"], record["usage"]
    rows: list[tuple[str, str]] = []
    if score is None:
        rows.append(("score", f"none, {record['status'].replace('_', ' ')}"))
        last = env.last_transition
        if last is not None and record["status"] == "unscored":
            # The environment's last word, which says why.
            rows.append(("why", one_line(last.observation.strip().split("\n")[-1], 300)))
    else:
        name = score["primary"]
        marks = f"baseline {record['baseline'][name]:.6g}, target {_target(env):.6g}"
        rows.append((name, f"{score['metrics'][name]:.6g} on the test split  ({marks})"))
        rows.append(("score", f"{score['normalized']:.4f}  (0 is the baseline, 1 the target)"))
    rows.append(("return", f"{record['total_reward']:.4f}"))
    steps = f"{record['steps']} step{'' if record['steps'] == 1 else 's'}"
    ended = f"{record['exit_reason']} after {steps}, {seconds(record['duration_s'])}"
    rows.append(("ended", ended))
    if usage["calls"]:
        tokens = usage["input_tokens"] + usage["output_tokens"]
        cost = money(usage["cost_usd"])
        rows.append(("cost", f"{cost}, {tokens:,} tokens in {usage['calls']} calls"))
    width = max(len(name) for name, _ in rows)
    return [f"{name.ljust(width)}  {text}" for name, text in rows]


def _target(env: MLGymEnv) -> float:
    spec = env.task.spec
    return spec.profile(env.profile).target[spec.primary.name]
