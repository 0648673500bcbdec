"""`mlgym view`: shows runs in the browser, or writes one of them as a page of its own."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from mlgym.cli.output import note, show


def view(
    folder: Annotated[
        Path, typer.Argument(help="A run's folder, or one that holds run folders.", metavar="[DIR]")
    ] = Path("runs"),
    port: Annotated[
        int,
        typer.Option("--port", help="The port on loopback; 0 takes a free one.", min=0, max=65535),
    ] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
) -> None:
    """Show runs in the browser: all in a table, each as a timeline, two beside each other."""
    from mlgym.runs.folders import run_folders
    from mlgym.view.server import listen, serve

    next(run_folders(folder), None)  # a folder that cannot be read is told of before it starts
    sock = listen(port)

    def ready(address: str) -> None:
        show(address)
        note("Ctrl-C ends it.")
        if browser:
            import webbrowser

            webbrowser.open(address)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(folder, sock, ready, stop, note)

    asyncio.run(until_stopped())
