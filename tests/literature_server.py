"""A real HTTP server on loopback with the shape of arXiv's query API, answering by script.

`queries` are the parameters of every request. A `Reply` is what one request is answered with; the
last one is repeated.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = "x"
    delay_s: float = 0.0
    drip_s: float = 0.0
    """A wait before each byte, that of the status line too."""
    cut: bool = False
    """Less comes than the headers promise."""


def entry(
    title: str, number: int = 1, authors: tuple[str, ...] = ("Ada L.",), **fields: str
) -> str:
    names = "".join(f"<author>\n<name>{escape(name)}</name>\n</author>" for name in authors)
    given = {"id": f"http://arxiv.org/abs/2101.0000{number}v1", "published": "2021-01-02T03:04:05Z"}
    given |= {"title": title, "summary": "  An abstract,\n    wrapped.\n  ", **fields}
    inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in given.items())
    return f"<entry>{inner}{names}</entry>"


def feed(*entries: str) -> Reply:
    """A feed as arXiv sends it: a title and an id of its own, OpenSearch counts, then entries."""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"'
        ' xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
        "<id>https://arxiv.org/api/xyz</id><title>arXiv Query: ...</title>"
        f"<opensearch:totalResults>{len(entries)}</opensearch:totalResults>{''.join(entries)}</feed>"
    )
    return Reply(text.encode())


@dataclass
class LiteratureServer:
    replies: list[Reply]
    queries: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""

    def next(self, path: str) -> Reply:
        found = parse_qs(urlsplit(path).query)
        self.queries.append({key: values[0] for key, values in found.items()})
        self.times.append(time.monotonic())
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextlib.contextmanager
def serving(*replies: Reply) -> Iterator[LiteratureServer]:
    owner = LiteratureServer(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = owner.next(self.path)
            time.sleep(reply.delay_s)
            headers = {"Content-Length": str(len(reply.body)), **reply.headers}
            head = f"HTTP/1.0 {reply.status} {reply.reason}\r\n"
            head += "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"
            data = head.encode() + reply.body
            if reply.cut:
                data = data[: -len(reply.body) // 2]
            step = 1 if reply.drip_s else len(data)
            with contextlib.suppress(OSError):
                for start in range(0, len(data), step):
                    time.sleep(reply.drip_s)
                    self.wfile.write(data[start : start + step])

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    owner.url = f"http://127.0.0.1:{server.server_port}/api/query"
    try:
        yield owner
    finally:
        server.shutdown()
        server.server_close()
