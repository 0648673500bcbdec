"""Prompt caching at a server that speaks Anthropic's format: what is marked stays as it is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mlgym.agent_loader import find_agent, make_agent
from mlgym.models.caching import cache_marks
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.settings import ModelSettings
from mlgym.tools.registry import tool_specs
from mlgym.types import BriefLimits, TaskBrief

BRIEF = TaskBrief("toy", "Toy", "Do.", "payoff", "maximize", 0.0, BriefLimits(50, 600.0, 5.0))
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the requests that it got; it answers each with a call of `ls`."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            call = {"type": "tool_use", "id": f"c{len(requests)}", "name": "bash"}
            message = {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": [{**call, "input": {"command": "ls"}}],
                "stop_reason": "tool_use",
                "usage": USAGE,
            }
            body = json.dumps(message).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


def marked_prefix(request: dict[str, Any]) -> list[Any]:
    """Everything up to the last mark, in the order in which it is cached, marks left out."""
    blocks = [request["tools"], *request["system"]]
    blocks += [(m["role"], block) for m in request["messages"] for block in m["content"]]
    found = [place for place, block in enumerate(blocks) if "cache_control" in json.dumps(block)]
    return plain(blocks[: found[-1] + 1])


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "cache_control"}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_the_marked_prefix_of_a_request_begins_the_next_one(anthropic) -> None:
    from talks import see

    url, requests = anthropic
    model = LiteLLMModel("anthropic/claude-sonnet-5-5", ModelSettings(api_base=url))
    agent = make_agent(find_agent("toolcaller"), model=model)
    agent.reset(BRIEF, tool_specs())
    decisions = [
        agent.act(see(text=f"seen {step} " * 300, step=step, remaining_steps=50 - step))
        for step in range(12)
    ]
    assert {decision.usage.cached_tokens for decision in decisions} == {90}
    prefixes = [marked_prefix(request) for request in requests]
    for before, now in itertools.pairwise(prefixes):
        assert now[: len(before)] == before
        assert len(now) >= len(before)
    # All but the brief's end and the last two turns are read from the cache.
    sizes = [len(json.dumps(prefix)) for prefix in prefixes]
    sent = [len(json.dumps(plain(request))) for request in requests]
    assert sizes[-2] / sent[-1] > 0.75
    assert all(json.dumps(request).count('"cache_control"') <= 4 for request in requests)


def test_no_marks_where_prefixes_are_cached_without() -> None:
    said = [{"role": "system", "content": "s"}, {"role": "user", "content": "b"}]
    assert cache_marks("openai/gpt-4o", said) == {}
    assert cache_marks("openai/tester", said) == {}
    (mark,) = cache_marks("anthropic/claude-sonnet-5-5", said)["cache_control_injection_points"]
    assert mark == {"location": "message", "index": 0}
