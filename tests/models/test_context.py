"""A conversation that fits: what is dropped, in which order, and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, ModelToolCall, Reply
from mlgym.models.context import Conversation, ask, cut
from mlgym.models.scripted import assistant_message

BRIEF = "the brief"


def talk_of(turns: int, size: int = 2000) -> Conversation:
    talk = Conversation("the system", BRIEF)
    for turn in range(turns):
        calls = [ModelToolCall(f"c{turn}.{n}", "bash", "{}") for n in range(2)]
        talk.add_reply(assistant_message(f"thought {turn}", calls))
        for call in calls:
            talk.add_answer(f"{call.id}: " + "x" * size, call.id)
    return talk


def intact(messages) -> bool:
    """Whether every call is followed by its results, and every result follows its call."""
    owed = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in owed:
                return False
            owed.remove(message["tool_call_id"])
        else:
            if owed:
                return False
            owed = [call["id"] for call in message.get("tool_calls", ())]
    return not owed


class Window:
    """A model with a window of so many characters, which it may or may not tell of beforehand."""

    name = "window"

    def __init__(self, characters: int, told: int | None = None):
        self.characters = characters
        self.context_window = told
        self.refused = 0
        self.seen = []

    def complete(self, messages, tools=()):
        del tools
        if sum(len(message["content"] or "") for message in messages) > self.characters:
            self.refused += 1
            raise ContextOverflowError("too long")
        self.seen = messages
        return Reply("fine")


def test_the_note_ends_the_last_message_and_is_not_kept():
    talk = talk_of(1, size=3)
    before = talk.messages()
    noted = talk.messages("9 steps left")
    assert noted[:-1] == before[:-1]
    assert noted[-1]["content"] == before[-1]["content"] + "\n\n9 steps left"
    assert talk.messages() == before


def test_the_oldest_observations_go_first_and_thoughts_stay():
    talk = talk_of(6)
    assert talk.drop_oldest()
    contents = [message["content"] for message in talk.messages()]
    dropped = [number for number, text in enumerate(contents) if "dropped" in text]
    assert dropped == [3, 4, 6]
    assert [f"thought {turn}" in contents for turn in range(6)] == [True] * 6
    assert intact(talk.messages())


@given(st.integers(0, 9), st.integers(0, 5000))
def test_dropping_ends_and_never_tears_a_call_from_its_result(turns, size):
    talk = talk_of(turns, size)
    rounds = 0
    while talk.drop_oldest():
        rounds += 1
        assert intact(talk.messages())
        assert rounds < 200
    left = talk.messages()
    assert left[0]["content"] == "the system"
    assert left[1]["content"].startswith(BRIEF)
    assert len(left) <= 5


def test_a_server_that_tells_only_by_refusing_gets_what_fits():
    model = Window(9000)
    assert ask(model, talk_of(20), "note").text == "fine"
    assert 0 < model.refused < 12
    assert intact(model.seen)
    assert model.seen[1]["content"].startswith(BRIEF)
    assert "c19.1: " in model.seen[-1]["content"]


def test_a_known_window_is_kept_without_being_refused():
    model = Window(9000, told=2500)
    ask(model, talk_of(20), "note")
    assert model.refused == 0


def test_the_newest_observation_is_cut_before_the_episode_is_given_up():
    model = Window(4000)
    assert ask(model, talk_of(1, size=15_000), "note").text == "fine"


def test_where_nothing_is_left_to_drop_the_overflow_comes_out():
    with pytest.raises(ContextOverflowError):
        ask(Window(10), talk_of(3), "note")


def test_other_failures_come_out_as_they_are():
    class Broken(Window):
        def complete(self, messages, tools=()):
            del messages, tools
            raise ModelError("gone")

    with pytest.raises(ModelError, match="gone"):
        ask(Broken(1), talk_of(3), "note")


def test_a_cut_keeps_head_and_tail_and_says_how_much_is_missing():
    text = cut("a" * 50 + "b" * 100 + "c" * 50, 100)
    assert text == "a" * 50 + "\n[... 100 characters cut ...]\n" + "c" * 50
    assert cut("short", 100) == "short"


def test_long_observations_and_long_replies_are_cut():
    talk = Conversation("s", "b", longest=100)
    talk.add_reply({"role": "assistant", "content": "x" * 200_000})
    talk.add_answer("y" * 200_000)
    assert all(len(message["content"]) < 200 for message in talk.messages())


def test_no_output_is_said_in_words():
    talk = Conversation("s", "b")
    talk.add_reply({"role": "assistant", "content": "x"})
    talk.add_answer("\n")
    assert talk.messages()[-1]["content"] == "(no output)"
