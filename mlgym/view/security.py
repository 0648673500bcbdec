"""Who may ask the viewer, and for what: only this machine's user, only to read.

Loopback alone keeps nobody out: every program of the machine and every page that is open in the
browser can reach it. So each request needs the token that only the one who started the server was
shown; its `Host` must be ours, or another site's name could point here (DNS rebinding); and the
cookie, which a browser sends along whoever asks, counts for the page's own requests alone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from mlgym.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    # No text becomes markup or code, not by a mistake of the page's own either.
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "mlgym",
}
_OWN = (None, "same-origin", "none")
"""What a browser says of the page that asks, where it is ours, or the user themselves."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server listens, and the secret that opens it."""

    port: int
    token: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Its name. A browser sends the cookies of a host to each of its ports."""
        return f"mlgym-view-{self.port}"

    def is_host(self, host: str) -> bool:
        names = ("127.0.0.1", "localhost")
        return host in {f"{name}:{self.port}" for name in names} or (
            self.port == 80 and host in names
        )

    def is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode()
        )

    def is_allowed(self, request: web.Request) -> bool:
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if self.is_token(request.query.get("token")):
            return True
        if kind.lower() == "bearer" and self.is_token(bearer.strip()):
            return True
        # The page at `/` holds nothing secret, and links lead to it from anywhere.
        own = request.headers.get("Sec-Fetch-Site") in _OWN or request.path == "/"
        return own and self.is_token(request.cookies.get(self.cookie))


def refused(status: int, sentence: str) -> web.Response:
    """An answer that says in a sentence what is wrong."""
    return web.json_response({"error": sentence}, status=status)


def guard(access: Access, on_error: Callable[[Exception], None]) -> Middleware:
    """Lets through who may ask; what goes wrong behind it becomes an answer in words."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not access.is_host(request.headers.get("Host", "")):
            return refused(
                403,
                f"This server answers to 127.0.0.1:{access.port} and localhost:{access.port} only;"
                " forward a port of another machine to the same number here.",
            )
        if request.method not in ("GET", "HEAD"):
            return refused(405, "This server only shows: expected GET or HEAD.")
        if not access.is_allowed(request):
            return refused(
                403, "The token is missing or wrong: open the address that mlgym view printed."
            )
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refused(error.status, f"{request.path}: {error.reason}")
        except ConfigError as error:
            return refused(404, str(error))
        except ConnectionError:  # who asked has gone
            raise
        # The boundary: one request that fails is told of, and the others go on.
        except Exception as error:  # noqa: BLE001
            on_error(error)
            return refused(500, f"The server failed: {type(error).__name__}: {error}")

    return guarded


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: no answer goes without them."""
    del request
    response.headers.update(HEADERS)


def to_json(value: object) -> str:
    """JSON that every browser takes: ASCII, no NaN, no infinities."""
    return json.dumps(value, allow_nan=False)
