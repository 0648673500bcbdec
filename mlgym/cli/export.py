"""`mlgym export`: runs as files to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import note, show, show_json, size
from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from mlgym.runs.listing import Row


def export(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, or one run's.", metavar="DIR")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="sft: JSONL of chats with tool calls; steps: Parquet of steps with rewards and"
            " returns-to-go.",
            metavar="FORMAT",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", metavar="FILE")],
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", help="Only runs with such a normalized score.", metavar="X"),
    ] = None,
    best: Annotated[
        int | None,
        typer.Option("--best", help="Only the N best runs of each task.", metavar="N", min=1),
    ] = None,
    unscored: Annotated[
        bool, typer.Option("--unscored", help="Also runs that ended without a score.")
    ] = False,
    each_reply: Annotated[
        bool,
        typer.Option(
            "--each-reply",
            help="sft: a row for each reply, with its request exactly as it was sent.",
        ),
    ] = False,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects", help="sft: tools and arguments of calls as objects, not as JSON text."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write the scored runs of a folder as a file to train on."""
    from mlgym.runs.listing import list_runs, read_row
    from mlgym.runs.store import RECORD
    from mlgym.runs.whole import written_whole

    if format not in ("sft", "steps"):
        raise ConfigError(f"--format: found {format!r}, expected: sft or steps")
    if format == "steps" and (each_reply or objects):
        raise ConfigError("--each-reply and --objects belong to --format sft")
    if out.is_dir():
        raise ConfigError(f"--out: found the folder {out}, expected a file")
    one = (folder / RECORD).is_file()
    rows = _chosen([read_row(str(folder))] if one else list_runs(folder), min_score, best, unscored)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(out) as fresh:
            if format == "sft":
                written = _write_chats(rows, fresh, each_reply, objects)
            else:
                from mlgym.runs.steps import write_steps
                from mlgym.runs.store import RunFolder

                written = write_steps((RunFolder(row.path) for row in rows), fresh)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror or error}") from error
    what = "rows" if format == "sft" else "steps"
    if json:
        show_json({"file": str(out), "runs": len(rows), what: written})
        return
    show(f"{out}: {written} {what} of {len(rows)} runs, {size(out.stat().st_size)}")


def _chosen(
    rows: Sequence[Row], min_score: float | None, best: int | None, unscored: bool
) -> list[Row]:
    """Scored runs; void ones never, and none that has not ended."""
    wanted = ("scored", "unscored") if unscored else ("scored",)
    chosen = [row for row in rows if row.status in wanted]
    if min_score is not None:
        chosen = [row for row in chosen if row.score is not None and row.score >= min_score]
    if best is not None:
        groups: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in chosen:
            if row.score is not None:
                groups[row.task, row.profile, row.data_seed].append(row)
        chosen = [
            row
            for group in groups.values()
            for row in sorted(group, key=lambda row: -(row.score or 0.0))[:best]
        ]
    left = len(rows) - len(chosen)
    if left:
        note(f"{left} of {len(rows)} runs are left out")
    if not chosen:
        raise ConfigError("no run is left to export (--unscored takes those without a score too)")
    return chosen


def _write_chats(rows: Iterable[Row], path: Path, each_reply: bool, objects: bool) -> int:
    from json import dumps

    from mlgym.runs.sft import chats
    from mlgym.runs.store import RunFolder

    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            of_run = {name: getattr(row, name) for name in _OF_RUN}
            for part, chat in enumerate(
                chats(RunFolder(row.path), each_reply=each_reply, tell=note)
            ):
                shaped = _as_objects(chat) if objects else {**chat, "tools": dumps(chat["tools"])}
                file.write(dumps({**shaped, "run_id": row.run_id, "part": part, **of_run}) + "\n")
                written += 1
    return written


_OF_RUN = ("task", "profile", "data_seed", "agent", "model", "seed", "score", "total_reward")


def _as_objects(value: Any) -> Any:
    """With the arguments of calls as objects: some chat templates write them out themselves."""
    from json import loads

    if isinstance(value, list):
        return [_as_objects(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {
            key: loads(item) if key == "arguments" and isinstance(item, str) else _as_objects(item)
            for key, item in value.items()  # pyright: ignore[reportUnknownVariableType]
        }
    return value
