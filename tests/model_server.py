"""A real HTTP server on loopback that speaks OpenAI's chat-completions format, by script.

Each request takes the next `Answer`, or what a function of the request returns. The server is as
strict as the original: it refuses a history in which a tool's result and its call are torn apart,
and, with `window`, one that is too long. It adds up the tokens that it reports, so that a test can
compare sums; with `tokens` it reports so many, in and out, for every answer.

    with ModelServer([calls(("bash", {"command": "ls"})), says("done")]) as server:
        LiteLLMModel("openai/tester", ModelSettings(api_base=server.url))
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """What one request is answered with. `body` replaces the well-formed JSON as it stands."""

    text: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    usage: bool = True
    cached: int = 0
    finish_reason: str | None = None
    drop: bool = False
    cut: bool = False
    """The connection is closed in the middle of the body."""
    delay_s: float = 0.0
    drip_s: float = 0.0
    """A wait before each byte of the body."""


Request = dict[str, Any]
Script = Iterable[Answer] | Callable[[Request], Answer]


def says(text: str, **fields: Any) -> Answer:
    return Answer(text, **fields)


def calls(*wanted: tuple[str, Mapping[str, Any] | str], text: str | None = None) -> Answer:
    """Function calls; arguments given as a text are sent as they stand, broken JSON and all."""
    return Answer(
        text,
        tuple((name, args if isinstance(args, str) else json.dumps(args)) for name, args in wanted),
    )


def fails(status: int, words: str, code: str | None = None, **headers: str) -> Answer:
    """An error in OpenAI's format; an underscore in a header's name stands for a hyphen."""
    error = {"message": words, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=json.dumps({"error": error}).encode(),
    )


def rate_limited(after: str = "0.05") -> Answer:
    return fails(429, "Rate limit reached", "rate_limit_exceeded", Retry_After=after)


def server_error() -> Answer:
    return fails(500, "The server had an error")


def dropped() -> Answer:
    """The connection is closed without a word."""
    return Answer(drop=True)


def empty() -> Answer:
    return Answer("")


def overflow(window: int = 4096) -> Answer:
    return fails(
        400,
        f"This model's maximum context length is {window} tokens. However, your messages"
        f" resulted in {window + 1} tokens.",
        "context_length_exceeded",
    )


def refuses_tools() -> Answer:
    return fails(400, "This model does not support tools")


def without_usage(answer: Answer) -> Answer:
    return replace(answer, usage=False)


def count(value: object) -> int:
    """How this server counts tokens: four characters of JSON each."""
    return max(1, len(json.dumps(value)) // 4)


class ModelServer:
    """Runs from `with` to its end. `requests` are the bodies received, in order."""

    def __init__(
        self,
        script: Script,
        *,
        window: int | None = None,
        delay_s: float = 0.0,
        tokens: tuple[int, int] | None = None,
    ) -> None:
        self._answer = script if callable(script) else _next_of(iter(script))
        self._window = window
        self._tokens = tokens
        self._delay_s = delay_s
        self._lock = Lock()
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.answers = 0
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0

    @property
    def url(self) -> str:
        """The base address, as `--api-base` takes it."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                owner._handle(self)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        request = json.loads(handler.rfile.read(length))
        with self._lock:
            self.requests.append(request)
            self.headers.append({key.lower(): value for key, value in handler.headers.items()})
            answer = self._checked(handler.path, request) or self._answer(request)
            made = answer.body is not None or answer.drop
            body = (answer.body or b"") if made else self._completion(request, answer)
        time.sleep(max(answer.delay_s, self._delay_s))
        if answer.drop:
            handler.close_connection = True
            return
        try:
            handler.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if answer.cut:
                body, handler.close_connection = body[: len(body) // 2], True
            for byte in body if answer.drip_s else ():
                handler.wfile.write(bytes([byte]))
                time.sleep(answer.drip_s)
            if not answer.drip_s:
                handler.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            # The client did not wait: that is what some tests are about.
            handler.close_connection = True

    def _checked(self, path: str, request: Request) -> Answer | None:
        """What the original refuses, refused."""
        if not path.endswith("/chat/completions"):
            return fails(404, f"no such path: {path}")
        wrong = _torn(request["messages"])
        if wrong:
            return fails(400, wrong)
        if self._window is not None and count(request["messages"]) > self._window:
            return overflow(self._window)
        return None

    def _completion(self, request: Request, answer: Answer) -> bytes:
        self.answers += 1
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{self.answers}_{index}",
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                }
                for index, (name, arguments) in enumerate(answer.calls)
            ]
        ended = answer.finish_reason or ("tool_calls" if answer.calls else "stop")
        completion: dict[str, Any] = {
            "id": f"chatcmpl-{self.answers}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": ended}],
        }
        if answer.usage:
            counted = count(request["messages"]), count(message)
            tokens_in, tokens_out = self._tokens or counted
            self.input_tokens += tokens_in
            self.cached_tokens += answer.cached
            self.output_tokens += tokens_out
            completion["usage"] = {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
                "prompt_tokens_details": {"cached_tokens": answer.cached},
            }
        return json.dumps(completion).encode()


def _next_of(answers: Any) -> Callable[[Request], Answer]:
    return lambda _: next(answers, fails(400, "the script is at its end"))


def _torn(messages: list[dict[str, Any]]) -> str:
    """What is wrong with the order of a history; empty where nothing is."""
    owed: list[str] = []
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in owed:
                return f"{where}: a tool's result must follow the call that it answers"
            owed.remove(message["tool_call_id"])
            continue
        if owed:
            return f"{where}: calls without an answer: {', '.join(owed)}"
        for call in message.get("tool_calls") or ():
            owed.append(call["id"])
            name = call["function"]["name"]
            if not name or not name.replace("_", "").replace("-", "").isalnum():
                return f"{where}: {name!r} is no function's name"
            try:
                json.loads(call["function"]["arguments"])
            except ValueError:
                return f"{where}: the arguments of {name} are no JSON"
        if not message.get("content") and not message.get("tool_calls"):
            return f"{where}: an empty message"
    return f"calls without an answer: {', '.join(owed)}" if owed else ""
