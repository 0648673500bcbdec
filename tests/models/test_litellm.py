"""LiteLLMModel against a real HTTP server: what it sends, counts, tries again, and gives up on."""

import json
import re
import subprocess
import sys
import time
from email.utils import formatdate

import pytest
from model_server import (
    Answer,
    ModelServer,
    calls,
    count,
    dropped,
    fails,
    overflow,
    rate_limited,
    refuses_tools,
    says,
    server_error,
    without_usage,
)

from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, ToolsUnsupportedError
from mlgym.models.library import price_of
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.settings import ModelSettings
from mlgym.types import ToolSpec

HELLO = [{"role": "user", "content": "hello"}]
BASH = ToolSpec(
    "bash",
    "Run a command.",
    {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
)


class Asked:
    """A model at a server, with what it recorded and how long it would have slept."""

    def __init__(self, server: ModelServer, name: str = "openai/tester", **settings):
        self.entries = []
        self.waits = []
        made = ModelSettings(api_base=server.url, **settings)
        self.model = LiteLLMModel(name, made, self.entries.append, self.waits.append)
        self.complete = self.model.complete

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries]


def test_a_reply_carries_text_and_the_servers_own_count():
    with ModelServer([says("hi", cached=3)]) as server:
        reply = Asked(server).complete(HELLO)
    assert reply.text == "hi"
    assert reply.message == {"role": "assistant", "content": "hi"}
    assert (reply.usage.calls, reply.usage.cached_tokens) == (1, 3)
    assert reply.usage.input_tokens == server.input_tokens
    assert reply.usage.output_tokens == server.output_tokens


def test_settings_and_tools_are_sent_and_nothing_is_streamed():
    with ModelServer([says("hi")]) as server:
        Asked(server, temperature=0.5, max_tokens=7, seed=3).complete(HELLO, [BASH])
    (request,) = server.requests
    assert (request["temperature"], request["max_tokens"], request["seed"]) == (0.5, 7, 3)
    assert request["tools"][0]["function"]["parameters"] == BASH.parameters
    assert not request.get("stream")


def test_the_key_is_sent_where_one_is_set_and_a_dummy_where_none_is(monkeypatch):
    with ModelServer([says("a"), says("b")]) as server:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        Asked(server).complete(HELLO)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
        Asked(server, "gpt-4o").complete(HELLO)
    assert [found["authorization"] for found in server.headers] == ["Bearer none", "Bearer sk-mine"]


def test_function_calls_come_back_with_their_raw_arguments():
    with ModelServer([calls(("bash", {"command": "ls"}), ("bash", '{"comm'), text="look")]) as s:
        reply = Asked(s).complete(HELLO, [BASH])
    assert [call.arguments for call in reply.tool_calls] == ['{"command": "ls"}', '{"comm']
    assert (reply.text, reply.finish_reason) == ("look", "tool_calls")


def test_a_malformed_call_goes_back_into_the_history_in_a_form_that_servers_accept():
    wanted = calls(("bash", '{"comm'), ("no such/tool", "{}"), ("", "[1]"))
    with ModelServer([wanted, says("ok")]) as server:
        asked = Asked(server)
        reply = asked.complete(HELLO, [BASH])
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": "no"} for call in reply.tool_calls
        ]
        assert asked.complete([*HELLO, reply.message, *results], [BASH]).text == "ok"
    assert [call.name for call in reply.tool_calls] == ["bash", "no such/tool", ""]


def test_calls_without_ids_or_with_the_same_one_get_ids_of_their_own():
    call = {"type": "function", "function": {"name": "bash", "arguments": "{}"}}
    message = {"role": "assistant", "tool_calls": [{"id": "x", **call}, {"id": "x", **call}, call]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    with ModelServer([Answer(body=json.dumps(body).encode())]) as server:
        reply = Asked(server).complete(HELLO, [BASH])
    ids = [call.id for call in reply.tool_calls]
    assert len(set(ids)) == 3
    assert [call["id"] for call in reply.message["tool_calls"]] == ids


def test_lone_surrogates_are_replaced_so_that_the_reply_can_be_sent_back():
    with ModelServer([says("a\ud800b"), says("ok")]) as server:
        asked = Asked(server)
        reply = asked.complete(HELLO)
        assert reply.text == "a?b"
        asked.complete([*HELLO, reply.message, *HELLO])


def test_an_empty_reply_can_be_sent_back():
    with ModelServer([says(""), says("ok")]) as server:
        asked = Asked(server)
        reply = asked.complete(HELLO)
        assert reply.text == ""
        assert asked.complete([*HELLO, reply.message, *HELLO]).text == "ok"


@pytest.mark.parametrize(
    "failure",
    [
        rate_limited(),
        server_error(),
        dropped(),
        fails(503, "overloaded"),
        fails(529, "overloaded"),
        fails(408, "time-out"),
        Answer(body=b"<html>a proxy speaks</html>"),
        Answer(body=b'{"id": "x", "choices": []}'),
        Answer(body=b'{"id": "x", "choices": null}'),
        fails(400, "Failed to call a function.", "tool_use_failed"),
    ],
    ids=lambda answer: f"{answer.status} {(answer.body or b'dropped')[:40]!r}",
)
def test_a_passing_failure_is_tried_again_once_and_recorded(failure):
    with ModelServer([failure, says("hi")]) as server:
        asked = Asked(server)
        assert asked.complete(HELLO).text == "hi"
    assert len(server.requests) == 2
    assert asked.kinds() == ["request", "retry", "reply"]
    assert asked.entries[1]["reason"]
    assert asked.entries[1]["wait_s"] == pytest.approx(asked.waits[0], abs=1e-3)


def test_a_connection_refused_is_given_up_after_the_retries():
    with ModelServer([]) as server:
        pass
    asked = Asked(server, retries=2)
    with pytest.raises(ModelError, match=r"openai/tester: .*3 tries"):
        asked.complete(HELLO)
    assert asked.kinds() == ["request", "retry", "retry", "failure"]


def test_a_silent_server_is_timed_out():
    with ModelServer([says("late", delay_s=2.0), says("hi")]) as server:
        asked = Asked(server, timeout_s=0.3)
        began = time.monotonic()
        assert asked.complete(HELLO).text == "hi"
        assert time.monotonic() - began < 1.5
    assert "imed out" in asked.entries[1]["reason"] or "imeout" in asked.entries[1]["reason"]


def test_waits_grow_with_jitter_up_to_the_longest():
    with ModelServer([server_error()] * 6) as server:
        asked = Asked(server, retries=5, longest_wait_s=4.0)
        with pytest.raises(ModelError):
            asked.complete(HELLO)
    for wait, most in zip(asked.waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= wait <= most


def test_retry_after_is_honoured_in_seconds_and_as_a_date():
    date = formatdate(time.time() + 30, usegmt=True)
    with ModelServer([rate_limited("7"), rate_limited(date), says("hi")]) as server:
        asked = Asked(server, longest_wait_s=1.0)
        asked.complete(HELLO)
    assert asked.waits[0] == 7
    assert asked.waits[1] == pytest.approx(30, abs=3)


def test_a_server_that_asks_for_hours_is_not_waited_for():
    with ModelServer([rate_limited("7200")]) as server:
        asked = Asked(server)
        with pytest.raises(ModelError, match="wait of 7200 s"):
            asked.complete(HELLO)
    assert asked.waits == []


@pytest.mark.parametrize(
    "failure",
    [
        fails(401, "Incorrect API key", "invalid_api_key"),
        fails(404, "The model `tester` does not exist", "model_not_found"),
        fails(429, "You exceeded your current quota", "insufficient_quota"),
        fails(400, "temperature must be at most 2"),
        fails(400, "max_tokens is too large: 99999. This model supports at most 16384."),
    ],
    ids=lambda answer: str(answer.status),
)
def test_what_no_retry_mends_is_raised_at_once_in_the_providers_words(failure):
    with ModelServer([failure]) as server:
        asked = Asked(server)
        with pytest.raises(ModelError) as caught:
            asked.complete(HELLO)
    assert type(caught.value) is ModelError
    words = json.loads(failure.body)["error"]["message"]
    assert re.fullmatch(rf"openai/tester: \w+: {re.escape(words)}", str(caught.value))
    assert asked.kinds() == ["request", "failure"]


@pytest.mark.parametrize(
    ("answer", "window"),
    [
        (overflow(4096), 4096),
        (fails(400, "prompt is too long: 210000 tokens > 200000 maximum"), 200000),
        (fails(400, "the request exceeds the available context size (8192 tokens)"), 8192),
        (
            fails(
                400,
                "The input token count (1200000) exceeds the maximum number of tokens allowed"
                " (1048576).",
            ),
            1048576,
        ),
        (fails(413, "Request entity too large"), None),
    ],
)
def test_an_overflow_is_known_by_many_words_with_its_window(answer, window):
    with ModelServer([answer]) as server, pytest.raises(ContextOverflowError) as caught:
        Asked(server).complete(HELLO)
    assert caught.value.window == window


@pytest.mark.parametrize(
    "answer",
    [
        refuses_tools(),
        fails(400, '"auto" tool choice requires --enable-auto-tool-choice and a parser'),
        fails(500, "tools param requires --jinja flag"),
        fails(404, "No endpoints found that support tool use."),
        fails(400, "Unrecognized request argument supplied: tools"),
        fails(400, "registry.ollama.ai/library/gemma does not support tools"),
    ],
    ids=lambda answer: json.loads(answer.body)["error"]["message"][:30],
)
def test_a_server_that_refuses_tools_is_told_apart(answer):
    with ModelServer([answer]) as server, pytest.raises(ToolsUnsupportedError):
        Asked(server).complete(HELLO, [BASH])


def test_a_model_known_to_have_no_function_calling_is_not_asked_with_tools():
    with ModelServer([]) as server, pytest.raises(ToolsUnsupportedError):
        Asked(server, "deepseek/deepseek-reasoner").complete(HELLO, [BASH])
    assert server.requests == []


def test_cost_follows_the_price_given():
    with ModelServer([says("hi")]) as server:
        usage = Asked(server, price=(2.0, 10.0)).complete(HELLO).usage
    expected = (server.input_tokens * 2 + server.output_tokens * 10) / 1e6
    assert usage.cost_usd == pytest.approx(expected)


def test_an_unknown_price_is_unknown_and_not_zero():
    with ModelServer([says("hi")]) as server:
        assert Asked(server).complete(HELLO).usage.cost_usd is None


def test_a_known_price_is_litellms():
    with ModelServer([says("hi")]) as server:
        usage = Asked(server, "openai/gpt-4o").complete(HELLO).usage
    price = price_of("openai/gpt-4o")
    assert usage.cost_usd == pytest.approx(
        (server.input_tokens * price[0] + server.output_tokens * price[1]) / 1e6
    )


def test_where_the_server_does_not_count_tokens_and_cost_are_estimated_and_marked():
    long = [{"role": "user", "content": "one two three " * 1000}]
    with ModelServer([without_usage(says("four five six " * 100)), says("hi")]) as server:
        asked = Asked(server, "openai/gpt-4o")
        usage = asked.complete(long).usage
        asked.complete(HELLO)
    assert 2500 < usage.input_tokens < 4500
    assert 250 < usage.output_tokens < 450
    price = price_of("openai/gpt-4o")
    assert usage.cost_usd == pytest.approx(
        (usage.input_tokens * price[0] + usage.output_tokens * price[1]) / 1e6
    )
    replies = [entry for entry in asked.entries if entry["kind"] == "reply"]
    assert [reply["estimated"] for reply in replies] == [True, False]


def test_requests_are_recorded_as_what_was_not_sent_before():
    more = [*HELLO, {"role": "assistant", "content": "a"}, {"role": "user", "content": "go on"}]
    with ModelServer([says("a"), says("b")]) as server:
        asked = Asked(server, temperature=0.0)
        asked.complete(HELLO, [BASH])
        asked.complete(more, [BASH])
    first, reply, second, _ = asked.entries
    assert (first["kept"], first["messages"], first["tools"]) == (0, HELLO, ["bash"])
    assert (second["kept"], second["messages"]) == (1, more[1:])
    assert first["model"] == "openai/tester"
    assert first["temperature"] == 0.0
    assert "tools" not in second
    assert reply["raw"]["choices"][0]["message"]["content"] == "a"
    assert reply["usage"]["input_tokens"] == count(HELLO)
    assert reply["latency_s"] >= 0
    json.dumps(asked.entries)


def test_a_very_long_reply_comes_whole():
    with ModelServer([says("x" * 200_000)]) as server:
        assert len(Asked(server).complete(HELLO).text) == 200_000


PLAIN = """
import sys
from mlgym.errors import ModelError
from mlgym.models.registry import ModelSettings, make_model
model = make_model("openai/tester", ModelSettings(api_base=sys.argv[1], longest_wait_s=0))
hello = [{"role": "user", "content": "hello"}]
assert model.complete(hello).text == "hi"
try:
    model.complete(hello)
except ModelError:
    pass
"""


def test_a_plain_process_gets_no_banner_no_warning_and_ends_at_once():
    with ModelServer([server_error(), says("hi"), fails(401, "no")]) as server:
        done = subprocess.run(
            [sys.executable, "-c", PLAIN, server.url], capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(server.requests) == 3
