"""What goes first when room is needed, and what never goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import BRIEF, intact, talk_of

from mlgym.chat.conversation import weight
from mlgym.chat.policy import DropOldest, Summarise
from mlgym.errors import ModelError


def never(messages):
    raise AssertionError(messages)


def size(talk) -> int:
    return weight(*talk.messages())


def test_the_oldest_observations_go_first_and_thoughts_stay():
    talk = talk_of(6)
    DropOldest(recent=2).shorten(talk, size(talk) - 5000, never)
    contents = [message["content"] for message in talk.messages()]
    assert [number for number, text in enumerate(contents) if "dropped" in text] == [3, 4, 6]
    assert [f"thought {turn}" in contents for turn in range(6)] == [True] * 6
    assert intact(talk.messages())


def test_old_turns_go_before_what_was_seen_of_late():
    talk = talk_of(10)
    DropOldest(recent=3).shorten(talk, 14_500, never)
    assert "were dropped" in talk.messages()[1]["content"]
    late = [turn[1]["content"] for turn in talk.turns[-3:]]
    assert not any("dropped" in text for text in late)
    assert size(talk) <= 14_500


@pytest.mark.parametrize("make", [DropOldest, Summarise])
@given(st.integers(0, 9), st.integers(0, 5000), st.integers(0, 60_000))
def test_no_policy_tears_a_call_from_its_result_or_loses_the_brief(make, turns, length, most):
    talk = talk_of(turns, length)
    before = size(talk)
    make().shorten(talk, most, lambda _: "in short")
    left = talk.messages()
    assert intact(left)
    assert left[0]["content"] == "the system"
    assert left[1]["content"].startswith(BRIEF)
    assert size(talk) <= max(before, 400)
    assert size(talk) <= max(most, 3500)
    assert turns == 0 or talk.turns[-1][0]["content"] == f"thought {turns - 1}"


def test_a_summary_by_the_model_takes_the_place_of_the_oldest_turns():
    asked = []

    def write(messages):
        asked.append(messages)
        return "  Ridge gave 0.5.\n"

    talk = talk_of(10)
    Summarise(recent=3, words=50).shorten(talk, size(talk) * 6 // 10, write)
    assert [turn[0]["content"] for turn in talk.turns] == ["thought 7", "thought 8", "thought 9"]
    assert talk.messages()[1]["content"].endswith("In short:]\nRidge gave 0.5.")
    ((request,),) = asked
    assert "at most 50 words" in request["content"]
    assert "thought 0" in request["content"]
    assert "bash({})" in request["content"]
    assert "thought 7" not in request["content"]
    assert len(request["content"]) < size(talk_of(10)) * 7 // 10


def test_the_next_summary_is_made_of_the_one_before_too():
    asked = []
    talk = talk_of(10)
    talk.forget(2, "Trees gave 0.4.")

    def write(messages):
        asked.append(messages)
        return "Both."

    Summarise(recent=2).shorten(talk, 9000, write)
    assert "Earlier:\nTrees gave 0.4." in asked[0][0]["content"]
    assert (talk.summary, talk.forgotten) == ("Both.", 8)


def test_no_summary_is_paid_for_that_would_win_little():
    talk = talk_of(5)
    Summarise(recent=4).shorten(talk, size(talk) - 1000, never)
    assert talk.summary == ""


def test_a_summary_that_cannot_be_had_is_done_without():
    def broken(messages):
        raise ModelError("gone")

    for write in (broken, lambda _: " "):
        talk = talk_of(10)
        Summarise().shorten(talk, 10_000, write)
        assert size(talk) <= 10_000
        assert talk.summary == ""


def test_an_endless_summary_is_cut():
    talk = talk_of(10)
    Summarise(words=20).shorten(talk, 30_000, lambda _: "x" * 100_000)
    assert len(talk.summary) < 400
