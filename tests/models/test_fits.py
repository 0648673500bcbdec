"""A request that a window cannot hold is refused here, not at the provider's price."""

import time

import pytest
from asking import BASH, HELLO, Asked
from model_server import ModelServer, says

from mlgym.models import ContextOverflowError
from mlgym.models.fits import check_fits

SCOUT = "lambda_ai/llama-4-scout-17b-16e-instruct"


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_what_exceeds_the_providers_window_is_never_sent():
    with ModelServer([says("hi")]) as server:
        asked = Asked(server, SCOUT)
        with pytest.raises(ContextOverflowError, match=r"not sent.*16384") as caught:
            asked.complete(user("one two three " * 8000))
        assert server.requests == []
        assert asked.kinds() == ["failure"]
    assert caught.value.window == 16384


def test_a_window_given_for_a_server_of_ones_own_is_kept_to():
    with ModelServer([says("hi")]) as server:
        asked = Asked(server, context_window=500)
        assert asked.complete(HELLO, [BASH]).text == "hi"
        with pytest.raises(ContextOverflowError, match="not sent"):
            asked.complete(user("word " * 600))
    assert len(server.requests) == 1


def test_room_for_the_reply_is_counted_where_its_length_is_asked_for():
    check_fits("m", 1000, user("word " * 900))
    with pytest.raises(ContextOverflowError, match="reply of 200"):
        check_fits("m", 1000, user("word " * 900), reply=200)


def test_tools_take_room_too():
    check_fits("m", 40, HELLO)
    with pytest.raises(ContextOverflowError):
        check_fits("m", 40, HELLO, [BASH])


def test_a_picture_counts_as_one_and_not_as_the_text_that_carries_it():
    url = "data:image/png;base64," + "A" * 400_000
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    check_fits("m", 2000, [{"role": "user", "content": parts}])
    with pytest.raises(ContextOverflowError):
        check_fits("m", 1000, [{"role": "user", "content": parts}])


def test_without_a_known_window_nothing_is_refused():
    check_fits("m", None, user("word " * 100_000))


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\ud800" * 1000, "a b " * 250_000])
def test_texts_of_any_kind_are_counted_in_time(text):
    began = time.monotonic()
    with pytest.raises(ContextOverflowError):
        check_fits("m", 100, user(text))
    assert time.monotonic() - began < 20
