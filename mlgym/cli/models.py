"""`mlgym models`: short names of models, what they stand for, and whether they answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import ApiBase, ContextWindow, Json, Price, read_price
from mlgym.cli.output import money, note, show, show_json, show_table

if TYPE_CHECKING:
    from mlgym.models.aliases import Alias
    from mlgym.models.trial import Trial

app = typer.Typer(help="The models: list, show, test.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A short name, or litellm's.", metavar="NAME")]


@app.callback()
def group() -> None:
    """The models: list, show, test."""


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the short names of models."""
    from mlgym.models.aliases import aliases

    known = [(alias, alias.deployments[0]) for _, alias in sorted(aliases().items())]
    if json:
        show_json([{"name": alias.name, **asdict(first)} for alias, first in known])
        return
    show_table(
        ("NAME", "STANDS FOR", "WINDOW", "TOOLS", "IMAGES", "ELSEWHERE"),
        (
            (
                alias.name,
                first.model,
                f"{first.window:,}",
                _word(first.tools),
                _word(first.images),
                len(alias.deployments) - 1 or "",
            )
            for alias, first in known
        ),
    )
    note(
        "Any other name that litellm knows will do: PROVIDER/MODEL. A server of your own:"
        " openai/MODEL with --api-base URL. `mlgym models show NAME` tells more."
    )


@app.command("show")
def show_model(name: Name, json: Json = False) -> None:
    """Show what is known of a model: its providers' windows and prices, its license's duties."""
    from mlgym.models.aliases import find_alias
    from mlgym.models.facts import capabilities
    from mlgym.models.registry import check_name

    check_name(name)
    alias = find_alias(name)
    deployments = list(alias.deployments) if alias is not None else []
    if alias is not None and alias.name != name:
        deployments = [found for found in deployments if found.model == name]
    rows = [{**asdict(found), "price": capabilities(found.model).price} for found in deployments]
    if not rows:
        known = asdict(capabilities(name))
        source = "nobody" if known["window"] is None else "litellm's model map"
        rows = [{"model": name, **known, "source": source}]
    terms = asdict(alias.license) if alias is not None and alias.license is not None else None
    sizes = [asdict(size) for size in alias.sizes] if alias is not None else []
    if json:
        show_json({"name": name, "deployments": rows, "sizes": sizes, "license": terms})
        return
    _show_deployments(rows)
    if alias is not None:
        _show_terms(alias)


def _show_deployments(rows: list[dict[str, Any]]) -> None:
    for number, row in enumerate(rows):
        price = row["price"]
        told = {
            "window": _tokens(row["window"]),
            "reply": _tokens(row["output"]),
            "tools": _word(row["tools"]),
            "images": _word(row["images"]),
            "packaging": row.get("packaging"),
            "retires": row.get("retires"),
            "price": "unknown"
            if price is None
            else f"${price[0]:g} in, ${price[1]:g} out, per 1M tokens",
            "source": row["source"],
        }
        show(("\n" if number else "") + row["model"])
        for key, value in told.items():
            if value is not None:
                show(f"  {key.ljust(9)}  {value}")


def _show_terms(alias: Alias) -> None:
    if alias.sizes:
        show("\nWEIGHTS")
    for size in alias.sizes:
        show(f"  {size.packaging}: {size.about} ({size.source})")
    if alias.license is not None:
        show(f"\nLICENSE: {alias.license.name} ({alias.license.source})")
        for duty in alias.license.duties:
            show(f"  - {duty}")
        show("  This is a summary and no legal advice: the license itself holds.")


def _tokens(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,} tokens"


def _word(known: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[known]


@app.command("test")
def try_model(
    name: Name,
    api_base: ApiBase = None,
    price: Price = None,
    context_window: ContextWindow = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds for each request.", metavar="S")
    ] = 120.0,
    json: Json = False,
) -> None:
    """Ask a model for a function call and hand it the result. It costs two short requests.

    Exit code 0 if the round trip works (or, where the model takes no tools, a plain reply), 1 if
    the model answers but does not call, 3 if it does not answer.
    """
    from mlgym.models import trial as trials
    from mlgym.models.local import ready_model
    from mlgym.models.registry import ModelSettings, check_model, make_model

    settings = ModelSettings.make(
        api_base=api_base,
        price=read_price(price),
        context_window=context_window,
        timeout_s=timeout,
        retries=2,
        seed=0,
    )
    check_model(name, settings)
    ready_model(name, note)
    made = make_model(name, settings)
    trial = trials.try_model(made)
    works = trial.understood and trial.tools != "unused"
    if json:
        told = {**asdict(trial), "usage": trial.usage.to_json()}
        show_json({"name": name, "model": made.name, "works": works, **told})
    else:
        _show_trial(made.name, trial, works)
    raise typer.Exit(0 if works else 1)


def _show_trial(model: str, trial: Trial, works: bool) -> None:
    said = {
        "work": "function calling works: the call came with good arguments",
        "unused": "the tool was offered and not called as asked; --agent react needs no tools",
        "none": "no function calling: the agent toolcaller goes on as react",
    }
    usage = trial.usage
    times = ", ".join(f"{seconds:.1f} s" for seconds in trial.seconds)
    show(f"{model}: {'works' if works else 'answers, but not as asked'}")
    show(f"  tools  {said[trial.tools]}")
    show(f"  reply  {trial.text.strip()[:200] or '(empty)'}")
    show(f"  time   {times}")
    show(
        f"  cost   {money(usage.cost_usd)}, {usage.input_tokens:,} tokens in, "
        f"{usage.output_tokens:,} out, in {usage.calls} call{'s' if usage.calls > 1 else ''}"
    )
