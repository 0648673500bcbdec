"""Asking: requests fit the window, what is learnt of it is kept, no limit is overrun."""

import pytest
from talks import BRIEF, Window, chat_of, fill, intact, see

from mlgym.chat.chat import OutOfBudgetError
from mlgym.chat.policy import Summarise
from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, Reply, ToolsUnsupportedError
from mlgym.types import ExitReason, Usage


def test_a_server_that_tells_only_by_refusing_gets_what_fits():
    model = Window(9000)
    assert chat_of(model, 20).ask("note").text == "fine"
    assert 0 < model.refused < 12
    assert intact(model.seen)
    assert model.seen[1]["content"].startswith(BRIEF)
    assert "c19.1: " in model.seen[-1]["content"]


def test_a_known_window_is_kept_without_being_refused():
    model = Window(10_000, told=2500)
    chat_of(model, 20).ask("note")
    assert model.refused == 0


def test_the_window_of_agent_yaml_goes_before_the_model_s():
    model = Window(10_000, told=10**6)
    chat_of(model, 20, window=2500).ask("note")
    assert model.refused == 0


@pytest.mark.parametrize("in_error", [None, 2500])
def test_what_a_refusal_taught_is_not_forgotten(in_error):
    model = Window(10_000, in_error=in_error)
    chat = chat_of(model, 1)
    for _ in range(60):
        fill(chat, 1)
        chat.ask("note")
    assert 1 <= model.refused <= 3
    assert len(model.asked) == 60


def test_a_wrong_word_of_the_window_does_no_harm():
    for told in (10**6, 1):
        model = Window(9000, in_error=told)
        chat = chat_of(model, 20)
        for _ in range(5):
            fill(chat, 1)
            assert chat.ask("note").text == "fine"


def test_how_many_characters_a_token_has_is_learnt():
    class Dense(Window):
        """A text of which every character is a token."""

        def complete(self, messages, tools=()):
            reply = super().complete(messages, tools)
            return Reply("fine", usage=Usage(1, reply.usage.input_tokens * 4, 0, 1, 0.0))

    model = Dense(20_000, told=20_000)
    chat = chat_of(model, 1)
    for _ in range(30):
        fill(chat, 1)
        chat.ask("note")
    assert model.refused == 0


def unchanged(keep: float) -> float:
    """Part of all that was sent over 200 requests that stood in the same place the time before."""
    model = Window(40_000, told=10_000)
    chat = chat_of(model, 0, keep=keep)
    for _ in range(200):
        fill(chat, 1, size=400)
        chat.ask("note")
    same = total = 0
    for before, now in zip(model.asked, model.asked[1:], strict=False):
        kept = 0
        while kept < min(len(before), len(now)) and before[kept] == now[kept]:
            kept += 1
        same += sum(len(str(message)) for message in now[:kept])
        total += sum(len(str(message)) for message in now)
    return same / total


def test_the_prefix_that_providers_cache_stays_for_most_requests():
    # Dropping just enough each time would change the prefix with nearly every request.
    assert unchanged(keep=0.6) > 0.8
    assert unchanged(keep=0.85) < 0.5


def test_the_newest_observation_is_cut_before_the_episode_is_given_up():
    assert chat_of(Window(4000), 1, size=15_000).ask("note").text == "fine"


def test_where_nothing_is_left_to_drop_the_overflow_comes_out():
    with pytest.raises(ContextOverflowError):
        chat_of(Window(10), 3).ask("note")


def test_other_failures_come_out_as_they_are():
    class Broken(Window):
        def complete(self, messages, tools=()):
            del messages, tools
            raise ModelError("gone")

    with pytest.raises(ModelError, match="gone"):
        chat_of(Broken(1), 3).ask("note")


def test_what_was_spent_is_told_once_and_a_summary_is_part_of_it():
    model = Window(30_000, told=7500)
    chat = chat_of(model, 10, policy=Summarise())
    chat.ask("note")
    spent = chat.spent()
    assert (spent.calls, spent.cost_usd) == (2, pytest.approx(0.02))
    assert chat.spent() == Usage()
    assert "In short:]\nfine" in model.seen[1]["content"]


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ({"remaining_usd": 0.015}, ExitReason.COST_LIMIT),
        ({"remaining_tokens": 60}, ExitReason.TOKEN_LIMIT),
    ],
)
def test_a_limit_stops_further_requests_of_the_same_step(left, reason):
    model = Window(30_000)
    chat = chat_of(model, 0)
    chat.see(see(**left))
    chat.ask()
    chat.ask()
    with pytest.raises(OutOfBudgetError) as caught:
        chat.ask()
    decision = chat.end(caught.value)
    assert decision.finish == reason
    assert decision.usage.calls == len(model.asked) == 2
    chat.see(see(remaining_usd=5.0, remaining_tokens=10**6))
    assert chat.ask().text == "fine"


def test_an_unknown_price_stops_them_where_there_is_a_limit_on_cost():
    class Unpriced(Window):
        def complete(self, messages, tools=()):
            del messages, tools
            return Reply("fine", usage=Usage(1, 10, 0, 1, None))

    chat = chat_of(Unpriced(1), 0)
    chat.see(see(remaining_usd=1.0))
    chat.ask()
    with pytest.raises(OutOfBudgetError):
        chat.ask()
    # A limit on tokens is kept whatever the price.
    for limits in ({}, {"remaining_usd": 1.0, "remaining_tokens": 10**6}):
        chat.see(see(**limits))
        chat.ask()


def test_errors_become_decisions_unless_the_rollout_knows_better():
    chat = chat_of(Window(30_000), 0)
    with pytest.raises(ModelError, match="gone"):
        chat.end(ModelError("gone"))
    assert chat.end(ContextOverflowError("too long")).finish == ExitReason.CONTEXT_OVERFLOW
    chat.ask()
    with pytest.raises(ToolsUnsupportedError):
        chat.end(ToolsUnsupportedError("no tools"))
    decision = chat.end(ModelError("gone"))
    assert (decision.finish, decision.thought) == (ExitReason.MODEL_ERROR, "gone")
    assert decision.usage.calls == 1
