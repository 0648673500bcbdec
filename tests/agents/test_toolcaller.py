"""The tool-calling agent, asked by hand, with a real HTTP server as its model."""

import json

import pytest
from model_server import (
    Answer,
    calls,
    dropped,
    empty,
    fails,
    overflow,
    rate_limited,
    refuses_tools,
    says,
    server_error,
)

from mlgym.errors import ModelError
from mlgym.models.base import ToolsUnsupportedError
from mlgym.tools.registry import parse_action
from mlgym.types import ExitReason

LS = ("bash", {"command": "ls"})


def test_a_call_becomes_an_action_and_the_observation_its_result(desk):
    sat = desk([calls(LS, text="Look around."), calls(("submit", {}))])
    first = sat.say()
    assert (first.action, first.thought, first.finish) == ("ls", "Look around.", None)
    assert sat.say("baseline.py").action == "submit"
    system, brief, reply, result = sat.sent()
    assert system["role"] == "system"
    assert "Predict the squares." in brief["content"]
    assert reply["tool_calls"][0]["function"]["name"] == "bash"
    assert result["role"] == "tool"
    assert result["content"].startswith("baseline.py\n\n[")
    sat.check_sums()


def test_the_brief_is_told_once_and_every_tool_is_offered(desk):
    sat = desk([calls(LS)])
    sat.say()
    assert sum(message["content"].count("Predict the squares.") for message in sat.sent()) == 1
    offered = {tool["function"]["name"] for tool in sat.server.requests[0]["tools"]}
    assert {"bash", "open", "edit", "validate", "submit"} <= offered


def test_parallel_calls_are_run_in_order_one_a_step_for_one_request(desk):
    three = calls(LS, ("open", {"path": "a.py", "line": 3}), ("validate", {}), text="All three.")
    sat = desk([three, calls(("submit", {}))])
    actions = [sat.say().action, sat.say("one").action, sat.say("two").action]
    assert [parse_action(action).name for action in actions] == ["bash", "open", "validate"]
    assert len(sat.server.requests) == 1
    assert [decision.usage.calls for decision in sat.decisions] == [1, 0, 0]
    assert sat.say("three").action == "submit"
    results = [message["content"].split("\n")[0] for message in sat.sent()[-3:]]
    assert results == ["one", "two", "three"]
    sat.check_sums()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("bash", '{"command": "ls'), "no valid JSON"),
        (("run", {"command": "ls"}), "no tool 'run'"),
        (("bash", {"cmd": "ls"}), "no parameter 'cmd'"),
        (("open", {}), "needs the parameter 'path'"),
        (("bash", "[1]"), "must be a JSON object"),
        (("", "{}"), "no tool ''"),
    ],
)
def test_a_bad_call_is_answered_without_a_step(desk, wrong, words):
    sat = desk([calls(wrong), calls(LS)])
    assert sat.say().action == "ls"
    assert sat.sent()[-1]["role"] == "tool"
    assert words in sat.sent()[-1]["content"]
    sat.check_sums()


def test_a_bad_call_among_good_ones_is_refused_in_its_place(desk):
    sat = desk([calls(LS, ("nope", {}), ("validate", {})), calls(("submit", {}))])
    assert [sat.say().action, sat.say("one").action] == ["ls", "validate"]
    assert sat.say("three").action == "submit"
    results = [message["content"] for message in sat.sent()[-3:]]
    assert results[0] == "one"
    assert "no tool 'nope'" in results[1]
    assert results[2].startswith("three")


@pytest.mark.parametrize("reply", [empty(), says("I would look around."), says("x" * 200_000)])
def test_a_reply_without_a_call_is_answered_without_a_step(desk, reply):
    sat = desk([reply, calls(LS)])
    assert sat.say().action == "ls"
    assert "called no tool" in sat.sent()[-1]["content"]
    assert len(str(sat.sent())) < 50_000
    sat.check_sums()


def test_a_reply_that_was_cut_off_is_told_so(desk):
    broken = Answer(None, (("create", '{"path": "a.py", "content": "imp'),), finish_reason="length")
    sat = desk([broken, says("so", finish_reason="length"), calls(LS)])
    sat.say()
    assert "cut off" in sat.sent(1)[-1]["content"]
    assert "cut off" in sat.sent(2)[-1]["content"]


@pytest.mark.parametrize("reply", [says("hm"), calls(("nope", {})), calls(("bash", "{"))])
def test_too_many_malformed_replies_in_a_row_end_the_episode(desk, reply):
    sat = desk([reply] * 9, max_format_errors=3)
    decision = sat.say()
    assert decision.finish == ExitReason.FORMAT_ERRORS
    assert len(sat.server.requests) == 3
    sat.check_sums()


def test_a_good_reply_forgives_the_malformed_ones_before(desk):
    script = [says("hm"), says("hm"), calls(LS)] * 4
    sat = desk(script, max_format_errors=3)
    assert [sat.say().finish for _ in range(4)] == [None] * 4


def test_what_is_left_stands_in_the_last_message_only(desk):
    sat = desk([calls(LS), calls(LS), calls(LS)])
    for step in range(3):
        sat.say("seen", remaining_steps=20 - step, cost_usd=1.25)
    *before, last = sat.sent()
    assert "18 steps and 50.0 minutes left, 1.25 USD spent" in last["content"]
    assert not any("minutes left" in (message.get("content") or "") for message in before)
    # The prefix that providers cache is the same from one request to the next.
    assert before[: len(sat.sent(1)) - 1] == sat.sent(1)[:-1]


def test_an_unknown_cost_is_not_called_nothing(desk):
    sat = desk([calls(LS)])
    sat.say(cost_usd=None)
    assert "USD" not in sat.sent()[-1]["content"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"remaining_steps": 2}, True),
        ({"remaining_steps": 20}, False),
        ({"remaining_steps": 20, "part_left": 0.09}, True),
        ({"remaining_steps": 20, "part_left": 0.5}, False),
    ],
)
def test_near_the_end_it_is_told_to_hand_in(desk, fields, told):
    sat = desk([calls(LS)])
    sat.say(**fields)
    assert ("Hand in now" in sat.sent()[-1]["content"]) is told
    assert "submit" not in sat.sent()[-1]["content"] or told


def test_what_is_left_of_each_limit_and_the_best_score_are_told(desk):
    sat = desk([calls(LS)])
    best = {"error": 0.123456789}
    sat.say(remaining_usd=0.5, remaining_tokens=12_345, best_metrics=best)
    note = sat.sent()[-1]["content"]
    assert "0.50 USD left, 12345 tokens left; best validation error so far: 0.123457]" in note
    assert "spent" not in note


def test_no_further_request_of_a_step_is_made_past_a_limit(desk):
    sat = desk([says("hm")] * 9)
    decision = sat.say(remaining_tokens=1)
    assert decision.finish == ExitReason.TOKEN_LIMIT
    assert len(sat.server.requests) == 1
    sat.check_sums()


def test_the_context_policy_is_the_one_that_is_named(desk):
    def answer(request):
        return calls(LS) if request.get("tools") else says("I looked around.")

    policy = {"policy": "summarise", "options": {"recent": 2, "words": 50}}
    sat = desk(answer, window=6000, context=policy)
    for step in range(25):
        assert sat.say(f"{step} " + "seen " * 500).finish is None
    assert "In short:]\nI looked around." in sat.sent()[1]["content"]
    sat.check_sums()


def test_thoughts_apart_go_back_as_the_provider_gave_them(desk):
    thinking = {"role": "assistant", "content": None, "reasoning_content": "Let me look."}
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    call["function"]["arguments"] = '{"command": "ls"}'
    body = {"choices": [{"message": {**thinking, "tool_calls": [call]}}], "usage": {}}
    sat = desk([Answer(body=json.dumps(body).encode()), calls(LS)])
    assert sat.say().action == "ls"
    sat.say("baseline.py")
    assert sat.sent()[2]["reasoning_content"] == "Let me look."


def test_a_long_observation_is_cut_in_the_middle(desk):
    sat = desk([calls(LS), calls(LS)], context={"longest_observation": 200})
    sat.say()
    sat.say("a" * 5000 + "z" * 5000)
    shown = sat.sent()[-1]["content"]
    assert shown.startswith("a" * 100 + "\n[... 9800 characters cut ...]\n" + "z" * 100)


def test_a_conversation_that_outgrows_the_window_goes_on_with_the_oldest_dropped(desk):
    sat = desk(lambda _: calls(LS), window=6000)
    for step in range(25):
        assert sat.say(f"{step} " + "seen " * 500).finish is None
    assert "24 seen" in sat.sent()[-1]["content"]
    assert "Predict the squares." in sat.sent()[1]["content"]
    assert any("dropped" in (message.get("content") or "") for message in sat.sent())
    sat.check_sums()


def test_a_window_known_beforehand_is_not_run_into(desk):
    sat = desk(lambda _: calls(LS), window=12_000, model={"context_window": 12_000})
    for _ in range(25):
        sat.say("seen " * 500)
    assert sat.server.answers == len(sat.server.requests) == 25


def test_an_overflow_that_nothing_can_mend_ends_the_episode(desk):
    sat = desk(lambda _: overflow())
    assert sat.say().finish == ExitReason.CONTEXT_OVERFLOW


def test_rate_limits_server_errors_and_dropped_connections_are_ridden_out(desk):
    sat = desk([rate_limited(), server_error(), dropped(), calls(LS)])
    assert sat.say().action == "ls"
    assert len(sat.server.requests) == 4
    sat.check_sums()


def test_a_server_that_refuses_tools_is_left_to_the_rollout(desk):
    with pytest.raises(ToolsUnsupportedError):
        desk([refuses_tools()]).say()


def test_a_failure_for_good_is_raised(desk):
    with pytest.raises(ModelError, match="bad key"):
        desk([fails(401, "bad key")]).say()


def test_a_failure_for_good_does_not_lose_what_the_step_has_cost(desk):
    sat = desk([says("hm"), fails(401, "bad key")])
    decision = sat.say()
    assert decision.finish == ExitReason.MODEL_ERROR
    assert "bad key" in decision.thought
    sat.check_sums()


def test_a_new_episode_starts_afresh(desk):
    sat = desk([calls(LS, ("validate", {})), calls(("submit", {}))])
    sat.say()
    sat.start()
    assert sat.say().action == "submit"
    assert len(sat.sent()) == 2
