"""LiteLLMModel against a real HTTP server: what it sends, counts, tries again, and gives up on."""

import json
import subprocess
import sys

import pytest
from asking import BASH, HELLO, Asked
from model_server import (
    Answer,
    ModelServer,
    calls,
    count,
    fails,
    says,
    server_error,
    without_usage,
)

from mlgym.models.base import ToolsUnsupportedError
from mlgym.models.library import price_of


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


@pytest.mark.parametrize("thought", ["Let me look.", ""])
def test_a_chain_of_thought_goes_back_with_its_call_and_not_with_prose(thought):
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    said = {"role": "assistant", "content": "Hm.", "reasoning_content": thought}
    bodies = [{"choices": [{"message": m}]} for m in ({**said, "tool_calls": [call]}, said)]
    with ModelServer([Answer(body=json.dumps(body).encode()) for body in bodies]) as server:
        asked = Asked(server)
        called, spoken = asked.complete(HELLO, [BASH]), asked.complete(HELLO)
    assert called.message["reasoning_content"] == thought
    assert spoken.message == {"role": "assistant", "content": "Hm."}


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
