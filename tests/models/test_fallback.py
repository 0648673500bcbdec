"""Models that stand in for one another, at real servers."""

import pytest
from asking import BASH, HELLO
from model_server import Answer, ModelServer, calls, fails, overflow, refuses_tools, says

from mlgym.errors import ConfigError, ModelError
from mlgym.models import ContextOverflowError, ToolsUnsupportedError
from mlgym.models.registry import ModelSettings, check_model, make_model

DOWN = fails(503, "overloaded")


class Two:
    """A model at one server, and its stand-in at another."""

    def __init__(self, first, second, **settings):
        self.entries = []
        other = {"model": "openai/second", "api_base": second.url, "price": (1.0, 1.0)}
        made = ModelSettings.make(
            api_base=first.url, fallbacks=[other], retries=1, longest_wait_s=0, **settings
        )
        self.model = make_model("openai/first", made, self.entries.append)
        self.complete = self.model.complete

    def kinds(self):
        return [entry["kind"] for entry in self.entries]


def test_the_next_model_goes_on_and_stays():
    with ModelServer([DOWN] * 2) as first, ModelServer([says("a"), says("b")]) as second:
        two = Two(first, second)
        assert two.model.name == "openai/first"
        assert [two.complete(HELLO).text for _ in range(2)] == ["a", "b"]
        assert two.model.name == "openai/second"
    assert len(first.requests) == 2
    expected = ["request", "retry", "failure", "fallback", "request", "reply", "request", "reply"]
    assert two.kinds() == expected
    told = two.entries[3]
    assert (told["from"], told["to"]) == ("openai/first", "openai/second")
    assert "overloaded" in told["reason"]


def test_each_is_paid_at_its_own_price():
    with ModelServer([says("a"), DOWN, DOWN]) as first, ModelServer([says("b")]) as second:
        two = Two(first, second, price=(10.0, 20.0))
        costs = [two.complete(HELLO).usage.cost_usd for _ in range(2)]
    assert costs[0] == pytest.approx((10 * first.input_tokens + 20 * first.output_tokens) / 1e6)
    assert costs[1] == pytest.approx((second.input_tokens + second.output_tokens) / 1e6)


def test_a_price_given_for_the_first_is_not_the_seconds():
    fallback = ModelSettings.make(price=(1, 2), fallbacks=["openai/second"])
    assert fallback.of(fallback.fallbacks[0]).price is None


def test_when_the_last_fails_its_error_is_raised():
    with ModelServer([DOWN] * 2) as first, ModelServer([fails(401, "no key")]) as second:
        two = Two(first, second)
        with pytest.raises(ModelError, match=r"openai/second: .*no key"):
            two.complete(HELLO)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(overflow(), ContextOverflowError), (refuses_tools(), ToolsUnsupportedError)],
)
def test_what_a_policy_or_another_agent_mends_is_left_to_them(answer, error):
    with ModelServer([answer]) as first, ModelServer([says("b")]) as second:
        two = Two(first, second)
        with pytest.raises(error):
            two.complete(HELLO, [BASH])
    assert second.requests == []


def test_a_stand_in_without_tools_is_no_stand_in_for_one_with():
    with ModelServer([DOWN] * 2) as first, ModelServer([refuses_tools()]) as second:
        two = Two(first, second)
        with pytest.raises(ModelError) as caught:
            two.complete(HELLO, [BASH])
    assert type(caught.value) is ModelError


def test_a_providers_own_thoughts_go_back_to_it_alone():
    thought = b"""{"choices": [{"index": 0, "finish_reason": "tool_calls", "message":
        {"role": "assistant", "content": "a", "reasoning_content": "hm", "tool_calls":
        [{"id": "c", "type": "function", "function": {"name": "bash", "arguments": "{}"}}]}}]}"""
    result = {"role": "tool", "tool_call_id": "c", "content": "x"}
    answers = [Answer(body=thought), says("b"), DOWN, DOWN]
    with ModelServer(answers) as first, ModelServer([says("c")]) as second:
        two = Two(first, second)
        history = [*HELLO, two.complete(HELLO, [BASH]).message, result]
        two.complete(history, [BASH])
        two.complete(history, [BASH])
    assert first.requests[1]["messages"][1]["reasoning_content"] == "hm"
    assert "reasoning_content" not in second.requests[0]["messages"][1]
    assert second.requests[0]["messages"][1]["content"] == "a"


def test_calls_and_their_answers_are_kept_over_the_change():
    answers = [calls(("bash", {"command": "ls"})), DOWN, DOWN]
    with ModelServer(answers) as first, ModelServer([says("c")]) as second:
        two = Two(first, second)
        reply = two.complete(HELLO, [BASH])
        result = {"role": "tool", "tool_call_id": reply.tool_calls[0].id, "content": "x"}
        assert two.complete([*HELLO, reply.message, result], [BASH]).text == "c"


def test_every_stand_in_needs_a_name_a_key_and_with_a_cost_limit_a_price(monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    own = {"api_base": "http://127.0.0.1:1/v1", "price": (1, 1)}
    with pytest.raises(ConfigError, match="mlgym models list"):
        check_model("openai/mine", ModelSettings.make(**own, fallbacks=["gpt-4oo"]))
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        check_model("openai/mine", ModelSettings.make(**own, fallbacks=["claude-opus"]))
    other = {"model": "openai/other", "api_base": "http://127.0.0.1:1/v1"}
    settings = ModelSettings.make(**own, fallbacks=[other])
    check_model("openai/mine", settings)
    with pytest.raises(ConfigError, match="price of openai/other"):
        check_model("openai/mine", settings, priced=True)
