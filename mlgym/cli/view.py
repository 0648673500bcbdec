"""`mlgym view`: shows runs in the browser, or writes one of them as a page of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from mlgym.cli.output import note, show
from mlgym.errors import ConfigError

_NAMED = 3
_SWITCH_S = 0.0005


def view(
    folder: Annotated[
        Path, typer.Argument(help="A run's folder, or one that holds run folders.", metavar="[DIR]")
    ] = Path("runs"),
    port: Annotated[
        int,
        typer.Option("--port", help="The port on loopback; 0 takes a free one.", min=0, max=65535),
    ] = 0,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            help="Write the one run in DIR as a page that needs no server.",
            metavar="FILE.html",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
) -> None:
    """Show runs in the browser: all in a table, each as a timeline, two beside each other.

    Prints the address to open. Only this machine can reach it, only with its token, only to read.
    """
    if export is not None:
        if port or browser:
            raise ConfigError("--export: writes a file and ends: found --port or --open beside it")
        _export(folder, export)
        return
    asyncio.run(_serve(folder, port, browser))


async def _serve(folder: Path, port: int, browser: bool) -> None:
    from mlgym.runs.folders import check_root
    from mlgym.view.server import listen, serve

    check_root(folder)
    # While runs are read in a thread, the browser waits so long for each of the page's files.
    sys.setswitchinterval(_SWITCH_S)

    def ready(address: str) -> None:
        show(address)
        note("Ctrl-C ends it.")
        if browser:
            import webbrowser

            # One that runs in the terminal would hold up the server.
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)  # who is in a hurry sends it again

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    await serve(folder, listen(port), ready, stop, note)


def _export(folder: Path, file: Path) -> None:
    from mlgym.runs.whole import written_whole
    from mlgym.view.answers import Answers
    from mlgym.view.export import to_page
    from mlgym.view.server import static_files

    answers = Answers(folder)
    found = list(answers.table.read())
    if len(found) != 1:
        told = "no run" if not found else f"{len(found)} runs: {', '.join(found[:_NAMED])}"
        more = ", ..." if len(found) > _NAMED else ""
        raise ConfigError(f"--export: {folder}: found {told}{more}, expected one")
    page = to_page(answers, found[0], static_files())
    try:
        with written_whole(file) as fresh:
            fresh.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--export {file}: cannot be written: {error.strerror}") from error
    show(str(file))
