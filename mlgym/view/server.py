"""The web server: which address gives what, and how it starts and ends."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import traceback
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path, PurePath

from aiohttp import web

from mlgym.errors import ConfigError
from mlgym.view.answers import MOST_STEPS, Answers
from mlgym.view.export import file_name, to_page
from mlgym.view.follow import ROWS_S, STEP_S, AllRuns, OneRun, stream
from mlgym.view.security import Access, add_headers, guard, to_json

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_LINGER_S = 1.0
_FEW = 4
"""Of so few runs the steps are read before anybody asks for them."""
ANSWERS = web.AppKey("answers", Answers)
ACCESS = web.AppKey("access", Access)
STATIC = web.AppKey("static", Mapping[str, bytes])
STOPPING = web.AppKey("stopping", asyncio.Event)


def static_files() -> dict[str, bytes]:
    """The page's files by name: these, and no others, are served."""
    folder = files("mlgym.view") / "static"
    return {
        entry.name: entry.read_bytes()
        for entry in folder.iterdir()
        if PurePath(entry.name).suffix in _TYPES
    }


def listen(port: int) -> socket.socket:
    """A socket on loopback; port 0 takes a free one. Raises ConfigError where it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        taken = "is taken by another program" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConfigError(f"--port: {port} {taken}; expected a free one, or 0 for any") from error
    return sock


async def serve(
    root: Path,
    sock: socket.socket,
    on_ready: Callable[[str], None],
    stop: asyncio.Event,
    on_error: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the runs in `root` until `stop` is set. `on_ready` gets the address to open.

    `on_error` gets the traceback of a request that failed by a mistake of this server.
    """
    access = Access(sock.getsockname()[1], secrets.token_urlsafe())
    app = make_app(root, access, on_error)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LINGER_S)
    await runner.setup()
    # The first question will be for all runs: they are read while the browser starts.
    reading = asyncio.create_task(asyncio.to_thread(_read_ahead, app[ANSWERS]))
    try:
        await web.SockSite(runner, sock).start()
        on_ready(access.address)
        await stop.wait()
    finally:
        app[STOPPING].set()
        await runner.cleanup()
        await reading


def _read_ahead(answers: Answers) -> None:
    try:
        found = answers.table.read()
    except ConfigError:
        return  # whoever asks will be told
    if len(found) <= _FEW:
        for kept in found.values():
            answers.timelines.of(kept.folder).read()


def make_app(root: Path, access: Access, on_error: Callable[[str], None]) -> web.Application:
    """The application for the runs in `root`."""

    def told(error: Exception) -> None:
        on_error("".join(traceback.format_exception(error)))

    app = web.Application(middlewares=[guard(access, told)])
    app[ANSWERS], app[ACCESS] = Answers(root), access
    app[STATIC], app[STOPPING] = static_files(), asyncio.Event()
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/", _index)
    app.router.add_get("/static/{name}", _static)
    app.router.add_get("/api/runs", _runs)
    app.router.add_get("/api/run", _run)
    app.router.add_get("/api/steps", _steps)
    app.router.add_get("/api/image", _image)
    app.router.add_get("/api/suites", _suites)
    app.router.add_get("/api/follow", _follow)
    app.router.add_get("/api/follow-runs", _follow_runs)
    app.router.add_get("/export", _export)
    return app


async def _index(request: web.Request) -> web.Response:
    access = request.app[ACCESS]
    if "token" not in request.query:
        return _file(request.app[STATIC], "index.html")
    # A redirect, so that the token stands in no address that is shown, kept or sent on.
    answer = web.Response(status=303, headers={"Location": "/"})
    answer.set_cookie(access.cookie, access.token, path="/", httponly=True, samesite="Strict")
    return answer


async def _static(request: web.Request) -> web.Response:
    return _file(request.app[STATIC], request.match_info["name"])


def _file(found: Mapping[str, bytes], name: str) -> web.Response:
    if name not in found:
        raise ConfigError(f"There is no file {name!r:.200} here.")
    kind = _TYPES[PurePath(name).suffix]
    return web.Response(body=found[name], content_type=kind, charset="utf-8")


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


async def _runs(request: web.Request) -> web.Response:
    return _json(await asyncio.to_thread(request.app[ANSWERS].runs))


async def _run(request: web.Request) -> web.Response:
    wanted = request.query.get("id", "")
    return _json(await asyncio.to_thread(request.app[ANSWERS].overview, wanted))


async def _steps(request: web.Request) -> web.Response:
    wanted = request.query.get("id", "")
    first = number(request, "from")
    last = min(number(request, "to", first + MOST_STEPS), first + MOST_STEPS)
    answers = request.app[ANSWERS]
    return _json(
        await asyncio.to_thread(lambda: to_json({"steps": answers.steps(wanted, first, last)}))
    )


async def _image(request: web.Request) -> web.Response:
    wanted, name = request.query.get("id", ""), request.query.get("name", "")
    data, kind = await asyncio.to_thread(request.app[ANSWERS].image, wanted, name)
    return web.Response(body=data, content_type=kind)


async def _suites(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(request.app[ANSWERS].suites)
    return _json(to_json({"suites": found}))


async def _follow(request: web.Request) -> web.StreamResponse:
    wanted, end = request.query.get("id", ""), number(request, "end")
    run = OneRun(request.app[ANSWERS], wanted, end)
    return await stream(request, run.tell, STEP_S, request.app[STOPPING])


async def _follow_runs(request: web.Request) -> web.StreamResponse:
    runs = AllRuns(request.app[ANSWERS], number(request, "since"))
    return await stream(request, runs.tell, ROWS_S, request.app[STOPPING])


async def _export(request: web.Request) -> web.Response:
    wanted, app = request.query.get("id", ""), request.app
    page = await asyncio.to_thread(lambda: to_page(app[ANSWERS], wanted, app[STATIC]).encode())
    name = file_name(app[ANSWERS].run(wanted).row.run_id)
    return web.Response(
        body=page,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def number(request: web.Request, name: str, default: int = 0) -> int:
    """A whole number of the query, from 0 on. Raises HTTPBadRequest."""
    given = request.query.get(name, "")
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise web.HTTPBadRequest(reason=f"{name} is no whole number")
    return int(given)
