"""What is kept of what was said, and in which form."""

import json

import pytest

from mlgym.chat.conversation import Conversation, cut, weight, without_thoughts
from mlgym.models.base import ModelToolCall
from mlgym.models.scripted import assistant_message


def test_the_note_ends_the_last_message_and_is_not_kept():
    talk = Conversation("s", "b")
    talk.add_reply({"role": "assistant", "content": "x"})
    talk.add_answer("seen")
    before = talk.messages()
    noted = talk.messages("9 steps left")
    assert noted[:-1] == before[:-1]
    assert noted[-1]["content"] == "seen\n\n9 steps left"
    assert talk.messages() == before


def test_a_note_after_a_picture_is_a_part_of_its_own():
    talk = Conversation("s", "b")
    talk.add_reply({"role": "assistant", "content": "x"})
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    talk.turns[-1].append({"role": "user", "content": [picture]})
    assert talk.messages("note")[-1]["content"] == [picture, {"type": "text", "text": "note"}]


def test_a_cut_keeps_head_and_tail_and_says_how_much_is_missing():
    text = cut("a" * 50 + "b" * 100 + "c" * 50, 100)
    assert text == "a" * 50 + "\n[... 100 characters cut ...]\n" + "c" * 50
    assert cut("short", 100) == "short"
    assert cut("abc", 1) == "\n[... 3 characters cut ...]\n"


def test_long_observations_and_long_replies_are_cut():
    talk = Conversation("s", "b", longest=100)
    talk.add_reply({"role": "assistant", "content": "x" * 200_000})
    talk.add_answer("y" * 200_000)
    assert all(len(message["content"]) < 200 for message in talk.messages())


@pytest.mark.parametrize(
    "arguments",
    [
        json.dumps({"path": "a.py", "content": "x" * 300_000}),
        json.dumps({"lines": ["x" * 1000] * 300}),
        "[" * 300_000,
        '{"command": "' + "x" * 300_000,
    ],
    ids=["one text", "a list", "a bomb", "broken"],
)
def test_long_arguments_are_cut_and_stay_an_object(arguments):
    talk = Conversation("s", "b", longest=1000)
    talk.add_reply(assistant_message("so", [ModelToolCall("c1", "create", arguments)]))
    (call,) = talk.turns[0][0]["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("c1", "create")
    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert "cut" in call["function"]["arguments"]
    assert weight(*talk.messages()) < 5000


def test_no_output_is_said_in_words():
    talk = Conversation("s", "b")
    talk.add_reply({"role": "assistant", "content": "x"})
    talk.add_answer("\n")
    assert talk.messages()[-1]["content"] == "(no output)"


def test_an_answer_needs_a_reply():
    with pytest.raises(ValueError, match="before any reply"):
        Conversation("s", "b").add_answer("x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>a\nb</think>\n\nls", "ls"),
        ("\n<think></think>ls", "ls"),
        ("swallowed mark</think>\nls", "ls"),
        ("<think>never closed\n```\nls\n```", ""),
        ("no thoughts", "no thoughts"),
        ("echo '<think>x</think>' > prompt.txt", "echo '<think>x</think>' > prompt.txt"),
        ("<think>a</think>echo '<think>b</think>'", "echo '<think>b</think>'"),
    ],
)
def test_thoughts_before_a_reply_are_no_part_of_it(text, said):
    assert without_thoughts(text) == said


def test_thoughts_in_the_text_are_not_kept_and_those_apart_are():
    talk = Conversation("s", "b")
    talk.add_reply({"content": "<think>hm</think>ls", "thinking_blocks": [{"thinking": "hm"}]})
    talk.add_reply({"content": "<think>hm</think>"})
    assert talk.turns[0][0] == {"content": "ls", "thinking_blocks": [{"thinking": "hm"}]}
    assert talk.turns[1][0]["content"] == "(nothing but thoughts)"


def test_what_was_forgotten_is_told_beside_the_brief():
    talk = Conversation("s", "the brief")
    for _ in range(5):
        talk.add_reply({"role": "assistant", "content": "x"})
    talk.forget(2)
    assert "The 2 oldest turns of this conversation were dropped.]" in talk.messages()[1]["content"]
    talk.forget(1, "0.5 by ridge")
    told = talk.messages()[1]["content"]
    assert told.startswith("the brief\n\n[The 3 oldest")
    assert told.endswith("In short:]\n0.5 by ridge")
    talk.forget(1)
    assert "0.5 by ridge" in talk.messages()[1]["content"]
