"""The command `mlgym`: its groups of commands, and the one boundary that turns errors into words.

Exit codes: 0 done; 1 no valid score, an unsound task, a wrong checksum, a replay that differs, a
ratio beyond its bound, an interrupt; 2 a mistake in the call, the configuration or a task's files;
3 the infrastructure.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from mlgym.cli import (
    agents,
    bench,
    data,
    doctor,
    export,
    gc,
    grade,
    images,
    import_traj,
    models,
    replay,
    report,
    run,
    runs,
    tasks,
    view,
)
from mlgym.cli import eval as eval_command
from mlgym.cli.output import note, show
from mlgym.errors import ConfigError, MLGymError, SubmissionError, TaskError

FAILED, BAD_CALL, INFRASTRUCTURE = 1, 2, 3
_INTERRUPTED_BY_TYPER = 130

app = typer.Typer(
    name="mlgym",
    help="Episodes of machine-learning research: run agents on tasks, grade what they hand in.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show(version("mlgym"))
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (or MLGYM_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """What goes before every command."""
    del version
    if debug:
        os.environ["MLGYM_DEBUG"] = "1"


app.command("run")(run.run)
app.command("eval")(eval_command.evaluate)
app.command("grade")(grade.grade)
app.command("replay")(replay.replay)
app.command("export")(export.export)
app.command("import-traj")(import_traj.import_traj)
app.add_typer(runs.app, name="runs")
app.command("report")(report.report)
app.command("view")(view.view)
app.add_typer(tasks.app, name="tasks")
app.add_typer(data.app, name="data")
app.add_typer(images.app, name="images")
app.add_typer(agents.app, name="agents")
app.add_typer(models.app, name="models")
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("gc")(gc.gc)


def exit_code(error: BaseException) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, SubmissionError):
        return FAILED
    if isinstance(error, ConfigError | TaskError):
        return BAD_CALL
    return INFRASTRUCTURE


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What an agent wrote must not fail for the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=arguments, prog_name="mlgym")
    except SystemExit as stop:
        if stop.code != _INTERRUPTED_BY_TYPER:
            raise
    except KeyboardInterrupt:
        pass
    # The boundary: whatever went wrong below is told in words, with the code that says whose it is.
    except Exception as error:  # noqa: BLE001
        _tell(error)
        sys.exit(exit_code(error))
    else:
        sys.exit(0)
    note("interrupted")
    sys.exit(FAILED)


def _tell(error: Exception) -> None:
    if os.environ.get("MLGYM_DEBUG", "") not in ("", "0"):
        note("".join(traceback.format_exception(error)))
    elif isinstance(error, MLGymError):
        note(f"mlgym: {error}")
    else:
        kind = type(error).__name__
        note(f"mlgym: {kind}: {error}\n(`mlgym --debug ...` shows where this comes from)")
