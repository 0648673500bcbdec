"""A viewer on loopback in a thread of this process, and who asks it, for tests of both."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import quote, urlsplit

from mlgym.view.server import listen, serve

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        def no_browser_reads(text: str) -> None:
            raise AssertionError(f"{text} is not JSON")

        return json.loads(self.body, parse_constant=no_browser_reads)


@dataclass(frozen=True)
class Viewer:
    """Where it listens. Asks with the token, unless told otherwise."""

    port: int
    token: str

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        if query:
            path += "?" + "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers))
            found = connection.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            connection.close()

    def json(self, path: str, **query: object) -> Any:
        answer = self.ask(path, **query)
        assert answer.status == 200, answer.body
        return answer.json()

    def rows(self) -> dict[str, dict[str, Any]]:
        told = self.json("/api/runs")
        rows = (dict(zip(told["columns"], row, strict=True)) for row in told["rows"])
        return {row["id"]: row for row in rows}

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            assert answer.headers["Content-Type"] == "text/event-stream"
            yield _events(answer)
        finally:
            connection.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in answer:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


@contextmanager
def viewing(root: Path, port: int = 0) -> Iterator[Viewer]:
    """A server of the runs in `root`, for as long as the `with` lasts."""
    addresses: Queue[str] = Queue()
    told: list[str] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    work = serve(root, listen(port), addresses.put, stop, told.append)
    thread = threading.Thread(target=loop.run_until_complete, args=(work,))
    thread.start()
    try:
        address = urlsplit(addresses.get(timeout=20))
        assert address.port is not None
        yield Viewer(address.port, address.query.removeprefix("token="))
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
        assert not thread.is_alive()
        loop.close()
    assert not told, told
