"""`mlgym models`: what is listed, shown, and tried at a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from model_server import Answer, ModelServer, Request, calls, fails, refuses_tools, says

Mlgym = Callable[..., Any]


def obliging(request: Request) -> Answer:
    """A model that calls the tool and reads what it tells."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return says(f"It is {last['content']}.")
    return calls(("look_up", {"name": "harbour"}))


def tried(mlgym: Mlgym, script: Any, *options: str) -> tuple[Any, dict[str, Any], ModelServer]:
    with ModelServer(script) as server:
        ran = mlgym("models", "test", "openai/mine", "--api-base", server.url, "--json", *options)
    return ran, json.loads(ran.out or "{}"), server


def test_a_models_windows_prices_sizes_and_duties_are_shown(mlgym: Mlgym) -> None:
    out = mlgym("models", "show", "llama-4-scout").out
    assert "lambda_ai/llama-4-scout-17b-16e-instruct\n  window     16,384 tokens" in out
    assert "vertex_ai/meta/llama-4-scout-17b-16e-instruct-maas\n  window     10,000,000" in out
    assert 'shows "Built with Llama"' in out
    assert "INT4" in out
    told = json.loads(mlgym("models", "show", "llama-4-maverick", "--json").out)
    assert len({row["window"] for row in told["deployments"]}) > 2
    assert all(row["source"] for row in told["deployments"])
    assert len(told["license"]["duties"]) == 5


def test_a_deployment_is_shown_alone_and_with_the_license_of_its_model(mlgym: Mlgym) -> None:
    name = "watsonx/meta-llama/llama-4-maverick-17b-128e-instruct-fp8"
    told = json.loads(mlgym("models", "show", name, "--json").out)
    assert [row["model"] for row in told["deployments"]] == [name]
    assert told["deployments"][0]["packaging"] == "FP8"
    assert told["license"]["name"] == "Llama 4 Community License"


def test_what_nobody_knows_is_shown_as_unknown_and_never_as_free(mlgym: Mlgym) -> None:
    out = mlgym("models", "show", "openai/of-my-own").out
    assert "window     unknown" in out
    assert "price      unknown" in out
    told = json.loads(mlgym("models", "show", "openai/of-my-own", "--json").out)
    assert told["deployments"][0]["price"] is None
    assert mlgym("models", "show", "nosuch/model").code == 2
    assert "Did you mean" in mlgym("models", "show", "local/smollm").err


def test_a_round_trip_calls_a_tool_and_reads_its_result(mlgym: Mlgym) -> None:
    ran, told, server = tried(mlgym, obliging, "--price", "2,10")
    assert ran.code == 0
    assert (told["works"], told["tools"], told["understood"]) == (True, "work", True)
    assert told["usage"]["calls"] == len(server.requests) == 2
    cost = (2 * server.input_tokens + 10 * server.output_tokens) / 1e6
    assert told["usage"]["cost_usd"] == pytest.approx(cost)


def test_a_round_trip_is_told_in_words(mlgym: Mlgym) -> None:
    with ModelServer(obliging) as server:
        ran = mlgym("models", "test", "openai/mine", "--api-base", server.url)
    assert ran.code == 0
    assert "openai/mine: works" in ran.out
    assert "function calling works" in ran.out
    assert "cost   unknown" in ran.out


def test_a_model_that_only_talks_does_not_work(mlgym: Mlgym) -> None:
    ran, told, _ = tried(mlgym, [says("I would call look_up.")])
    assert (ran.code, told["tools"]) == (1, "unused")


def test_a_call_that_is_wrong_is_told_so_and_does_not_work(mlgym: Mlgym) -> None:
    ran, told, server = tried(mlgym, [calls(("look_up", '{"nam')), says("hm")])
    assert (ran.code, told["tools"]) == (1, "unused")
    assert "no JSON" in server.requests[1]["messages"][-1]["content"]


def test_a_server_without_tools_is_asked_plainly(mlgym: Mlgym) -> None:
    ran, told, _ = tried(
        mlgym, lambda request: refuses_tools() if request.get("tools") else says("Paris")
    )
    assert (ran.code, told["tools"], told["text"]) == (0, "none", "Paris")


def test_a_model_that_does_not_answer_is_the_infrastructures_failure(mlgym: Mlgym) -> None:
    ran, _, _ = tried(mlgym, [fails(401, "Incorrect API key provided")])
    assert ran.code == 3
    assert "Incorrect API key provided" in ran.err


def test_a_missing_key_is_named_before_anything_is_sent(
    mlgym: Mlgym, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    ran = mlgym("models", "test", "claude-opus")
    assert ran.code == 2
    assert "ANTHROPIC_API_KEY" in ran.err
