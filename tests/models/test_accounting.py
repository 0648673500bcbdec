"""Tokens and money against the server's own books, to the cent and below it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from asking import BASH, HELLO, Asked
from model_server import (
    Answer,
    ModelServer,
    calls,
    dropped,
    empty,
    rate_limited,
    says,
    server_error,
)

from mlgym.models.accounting import account
from mlgym.models.library import model_facts
from mlgym.types import Usage


class Books:
    """What a server charges: full price for what is new, its own for what was cached."""

    def __init__(self, new: str, cached: str, out: str) -> None:
        self.prices = [Decimal(price) / 1_000_000 for price in (new, cached, out)]

    def total(self, server: ModelServer) -> Decimal:
        new = server.input_tokens - server.cached_tokens
        sold = (new, server.cached_tokens, server.output_tokens)
        return sum((n * p for n, p in zip(sold, self.prices, strict=True)), Decimal(0))


def adverse(count: int) -> list[Answer]:
    """Answers that cost, among failures that cost nothing."""
    script: list[Answer] = []
    for number in range(count):
        script += [[rate_limited("0")], [server_error()], [dropped()], []][number % 4]
        answers = [
            says("x" * number, cached=3 * (number % 5)),
            calls(("bash", {"command": "ls"}), ("bash", '{"comm'), text="look"),
            empty(),
        ]
        script.append(answers[number % 3])
    return script


def asked_often(asked: Asked, count: int) -> Usage:
    """Growing conversations; the sum of what each reply said that it cost."""
    total = Usage()
    for number in range(count):
        history = [{"role": "user", "content": f"word {'more ' * number}"}]
        total += asked.complete(history, [BASH]).usage
    return total


@pytest.mark.parametrize(
    ("name", "settings", "books"),
    [
        ("openai/gpt-4o", {}, Books("2.5", "1.25", "10")),
        ("openai/gpt-4o-mini", {}, Books("0.15", "0.075", "0.6")),
        # A price given is for all that is read, cached or not: the dearer reading.
        ("openai/tester", {"price": (3.0, 15.0)}, Books("3", "3", "15")),
    ],
)
def test_tokens_and_money_add_up_to_the_servers_own_count(name, settings, books):
    with ModelServer(adverse(24)) as server:
        asked = Asked(server, name, **settings)
        total = asked_often(asked, 24)
    assert total.calls == server.answers == 24
    assert total.input_tokens == server.input_tokens
    assert total.cached_tokens == server.cached_tokens > 0
    assert total.output_tokens == server.output_tokens
    assert total.cost_usd is not None
    charged = books.total(server)
    assert abs(Decimal(total.cost_usd) - charged) < Decimal("1e-9")
    # Each request has its own entry, and the entries add up too.
    replies = [entry["usage"] for entry in asked.entries if entry["kind"] == "reply"]
    assert len(replies) == 24
    assert sum(Decimal(reply["cost_usd"]) for reply in replies) == pytest.approx(charged)


def test_the_prices_that_these_tests_charge_are_litellms():
    facts = model_facts("openai/gpt-4o")
    keys = ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
    assert [facts[key] for key in keys] == [2.5e-06, 1.25e-06, 1e-05]


def test_one_unknown_price_makes_the_sum_unknown_and_never_zero():
    with ModelServer([says("a"), says("b")]) as server:
        known = Asked(server, "openai/gpt-4o").complete(HELLO).usage
        unknown = Asked(server).complete(HELLO).usage
    assert known.cost_usd
    assert unknown.cost_usd is None
    assert (known + unknown).cost_usd is None
    assert (Usage() + unknown).to_json()["cost_usd"] is None


@pytest.mark.parametrize("name", ["openai/tester", "ollama/llama3", "groq/no-such-model"])
def test_a_model_that_nobody_priced_is_never_free(name):
    class Told:
        usage: Any = None

    made = account(name, Told(), None, HELLO, (), "a reply", ())
    assert made.usage.cost_usd is None
    assert made.usage.input_tokens > 0


def test_thoughts_that_are_not_shown_are_paid_for_too():
    body = {
        "id": "1",
        "object": "chat.completion",
        "model": "gpt-5.5",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 1000,
            "total_tokens": 1100,
            "completion_tokens_details": {"reasoning_tokens": 990},
        },
    }
    with ModelServer([Answer(body=json.dumps(body).encode())]) as server:
        usage = Asked(server, "openai/gpt-5.5").complete(HELLO).usage
    assert usage.output_tokens == 1000
    assert usage.cost_usd == pytest.approx((100 * 5 + 1000 * 30) / 1e6)
