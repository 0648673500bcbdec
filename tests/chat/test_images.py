"""Images in a conversation: shown to who takes them, weighed, dropped, never in the way."""

import json

import pytest
from drawn import png
from talks import Window, chat_of, intact

from mlgym.chat.conversation import Conversation, weight
from mlgym.models.base import ImagesRefusedError, ModelToolCall
from mlgym.models.images import by_reference, count_images
from mlgym.models.scripted import assistant_message
from mlgym.types import Image

IMAGE = Image("image/png", png())
NOISE = Image("image/png", bytes(300_000))


def begin_turn(talk, *ids: str) -> None:
    talk.add_reply(assistant_message("", [ModelToolCall(one, "view_image", "{}") for one in ids]))


def show(chat, times: int, image: Image = IMAGE) -> None:
    for number in range(times):
        begin_turn(chat, f"v{number}")
        chat.add_answer(f"[{number}.png]", f"v{number}", image)


class Seeing(Window):
    """A model known to take images, with room for much; it may refuse one, or all, that it gets."""

    name = "gpt-4o"

    def __init__(self, name: str = "gpt-4o", refuses: int = 0, characters: int = 10**6):
        super().__init__(characters)
        self.name, self.refuses = name, refuses

    def complete(self, messages, tools=()):
        if self.refuses and count_images(*messages):
            self.refuses -= 1
            raise ImagesRefusedError("no image")
        return super().complete(messages, tools)


def test_images_follow_the_results_of_all_calls_of_their_turn():
    talk = Conversation("s", "b")
    begin_turn(talk, "one", "two", "three")
    talk.add_answer("[a.png]", "one", IMAGE)
    talk.add_answer("plain", "two")
    talk.add_answer("[b.png]", "three", IMAGE)
    roles = [message["role"] for message in talk.turns[0]]
    assert roles == ["assistant", "tool", "tool", "tool", "user"]
    assert intact(talk.messages())
    parts = talk.turns[0][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url"] * 2
    assert [part["text"] for part in parts[::2]] == ["[a.png]", "[b.png]"]
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert [message["content"] for message in talk.turns[0][1:4]] == ["[a.png]", "plain", "[b.png]"]


def test_an_image_weighs_the_same_whatever_its_bytes():
    weights = []
    for image in (IMAGE, NOISE):
        talk = Conversation("s", "b")
        talk.add_reply({"role": "assistant", "content": "x"})
        talk.add_answer("[a.png]", image=image)
        weights.append(weight(*talk.messages()))
    assert weights[0] == weights[1] < 6000


def test_a_record_names_images_and_holds_none():
    talk = Conversation("s", "b")
    talk.add_reply({"role": "assistant", "content": "x"})
    talk.add_answer("[a.png]", image=NOISE)
    kept = json.dumps(by_reference(talk.messages()[-1]))
    assert NOISE.name in kept
    assert len(kept) < 500


def test_old_images_go_once_there_are_many_and_the_newest_stay():
    model = Seeing()
    chat = chat_of(model, 0)
    show(chat, 6)
    assert count_images(*chat.talk.messages()) == 6
    show(chat, 1)
    assert count_images(*chat.talk.messages()) == 3
    assert [count_images(*turn) for turn in chat.talk.turns] == [0, 0, 0, 0, 1, 1, 1]
    assert "[image dropped" in chat.talk.turns[0][-1]["content"]
    chat.ask("note")
    assert intact(model.seen)


def test_images_make_room_as_long_observations_do():
    model = Seeing(characters=12_000)
    chat = chat_of(model, 0, window=3000)
    show(chat, 5)
    chat.ask("note")
    assert model.refused == 0
    assert count_images(*model.seen) == 1
    assert intact(model.seen)


def test_an_image_that_no_window_holds_is_dropped_too():
    model = Seeing(characters=2000)
    chat = chat_of(model, 0, window=500)
    show(chat, 1)
    chat.ask("note")
    assert count_images(*model.seen) == 0
    assert "[image dropped" in model.seen[-1]["content"]


def test_a_model_known_to_read_text_only_is_told_so_in_text():
    model = Seeing("local/smollm2")
    chat = chat_of(model, 0)
    show(chat, 1)
    assert chat.talk.turns[0][1]["content"].startswith("[0.png]\n[The image is not shown")
    assert count_images(*chat.talk.messages()) == 0


@pytest.mark.parametrize(("name", "later"), [("gpt-4o", 1), ("openai/mine", 0)])
def test_a_refused_image_is_taken_back_and_only_an_unknown_model_gets_no_other(name, later):
    model = Seeing(name, refuses=1)
    chat = chat_of(model, 0)
    show(chat, 1)
    assert chat.ask("note").text == "fine"
    assert "[The image is not shown" in str(model.seen[-1]["content"])
    show(chat, 1)
    assert chat.ask("note").text == "fine"
    assert count_images(*model.seen) == later
