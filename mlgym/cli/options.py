"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlgym.errors import ConfigError

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
SandboxName = Annotated[
    str, typer.Option("--sandbox", help="auto, bubblewrap or docker.", metavar="NAME")
]
TaskName = Annotated[str, typer.Argument(help="A task's name or folder.", metavar="TASK")]
TaskProfile = Annotated[
    str | None,
    typer.Option("--data", help="mini or full; mini, where the task has it.", metavar="PROFILE"),
]
DataProfile = Annotated[
    str,
    typer.Option(
        "--data",
        help="auto (full where it has been prepared, else mini), mini or full.",
        metavar="PROFILE",
    ),
]
DataSeed = Annotated[
    int,
    typer.Option("--data-seed", help="Other data of the same kind; only 0 is comparable.", min=0),
]
RunsFolder = Annotated[
    Path, typer.Option("--out", help="The folder that run folders lie in.", metavar="DIR")
]
ApiBase = Annotated[
    str | None, typer.Option("--api-base", help="The model's server.", metavar="URL")
]
Price = Annotated[
    str | None,
    typer.Option("--price", help="The model's price in USD per million tokens.", metavar="IN,OUT"),
]
ContextWindow = Annotated[
    int | None,
    typer.Option("--context-window", help="Tokens that the model's server takes.", metavar="N"),
]


def read_price(text: str | None) -> tuple[float, float] | None:
    """What `--price` says. Raises ConfigError where that is not two numbers."""
    if text is None:
        return None
    try:
        into, out = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--price: found {text!r}, expected: two numbers IN,OUT, as 2.5,10"
        ) from None
    return into, out
