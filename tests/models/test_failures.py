"""What a model at a real HTTP server tries again, gives up on, and tells apart."""

import json
import re
import time
from email.utils import formatdate

import pytest
from asking import BASH, HELLO, Asked
from model_server import (
    Answer,
    ModelServer,
    dropped,
    fails,
    overflow,
    rate_limited,
    refuses_tools,
    says,
    server_error,
)

from mlgym.errors import ModelError
from mlgym.models.base import ContextOverflowError, ImagesRefusedError, ToolsUnsupportedError
from mlgym.models.images import image_part
from mlgym.types import Image


@pytest.mark.parametrize(
    "failure",
    [
        rate_limited(),
        server_error(),
        dropped(),
        says("half of this", cut=True),
        fails(503, "overloaded"),
        fails(529, "overloaded"),
        fails(408, "time-out"),
        Answer(body=b"<html>a proxy speaks</html>"),
        Answer(body=b'{"id": "x", "choices": []}'),
        Answer(body=b'{"id": "x", "choices": null}'),
        fails(400, "Failed to call a function.", "tool_use_failed"),
    ],
    ids=lambda answer: f"{answer.status} {(answer.body or b'dropped')[:40]!r}",
)
def test_a_passing_failure_is_tried_again_once_and_recorded(failure):
    with ModelServer([failure, says("hi")]) as server:
        asked = Asked(server)
        assert asked.complete(HELLO).text == "hi"
    assert len(server.requests) == 2
    assert asked.kinds() == ["request", "retry", "reply"]
    assert asked.entries[1]["reason"]
    assert asked.entries[1]["wait_s"] == pytest.approx(asked.waits[0], abs=1e-3)


def test_a_connection_refused_is_given_up_after_the_retries():
    with ModelServer([]) as server:
        pass
    asked = Asked(server, retries=2)
    with pytest.raises(ModelError, match=r"openai/tester: .*3 tries"):
        asked.complete(HELLO)
    assert asked.kinds() == ["request", "retry", "retry", "failure"]


def test_a_silent_server_is_timed_out():
    with ModelServer([says("late", delay_s=2.0), says("hi")]) as server:
        asked = Asked(server, timeout_s=0.3)
        began = time.monotonic()
        assert asked.complete(HELLO).text == "hi"
        assert time.monotonic() - began < 1.5
    assert "imed out" in asked.entries[1]["reason"] or "imeout" in asked.entries[1]["reason"]


def test_a_server_that_answers_byte_by_byte_is_timed_out_as_a_whole():
    # Each byte comes soon enough: only the whole is late.
    with ModelServer([says("late", drip_s=0.2), says("hi")]) as server:
        asked = Asked(server, timeout_s=1.0)
        began = time.monotonic()
        assert asked.complete(HELLO).text == "hi"
        assert time.monotonic() - began < 5
    assert "no whole answer within 1 s" in asked.entries[1]["reason"]


def test_waits_grow_with_jitter_up_to_the_longest():
    with ModelServer([server_error()] * 6) as server:
        asked = Asked(server, retries=5, longest_wait_s=4.0)
        with pytest.raises(ModelError):
            asked.complete(HELLO)
    for wait, most in zip(asked.waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= wait <= most


def test_retry_after_is_honoured_in_seconds_and_as_a_date():
    date = formatdate(time.time() + 30, usegmt=True)
    with ModelServer([rate_limited("7"), rate_limited(date), says("hi")]) as server:
        asked = Asked(server, longest_wait_s=1.0)
        asked.complete(HELLO)
    assert asked.waits[0] == 7
    assert asked.waits[1] == pytest.approx(30, abs=3)


def test_a_server_that_asks_for_hours_is_not_waited_for():
    with ModelServer([rate_limited("7200")]) as server:
        asked = Asked(server)
        with pytest.raises(ModelError, match="wait of 7200 s"):
            asked.complete(HELLO)
    assert asked.waits == []


@pytest.mark.parametrize(
    "failure",
    [
        fails(401, "Incorrect API key", "invalid_api_key"),
        fails(404, "The model `tester` does not exist", "model_not_found"),
        fails(429, "You exceeded your current quota", "insufficient_quota"),
        fails(400, "temperature must be at most 2"),
        fails(400, "max_tokens is too large: 99999. This model supports at most 16384."),
    ],
    ids=lambda answer: str(answer.status),
)
def test_what_no_retry_mends_is_raised_at_once_in_the_providers_words(failure):
    with ModelServer([failure]) as server:
        asked = Asked(server)
        with pytest.raises(ModelError) as caught:
            asked.complete(HELLO)
    assert type(caught.value) is ModelError
    words = json.loads(failure.body)["error"]["message"]
    assert re.fullmatch(rf"openai/tester: \w+: {re.escape(words)}", str(caught.value))
    assert asked.kinds() == ["request", "failure"]


@pytest.mark.parametrize(
    ("answer", "window"),
    [
        (overflow(4096), 4096),
        (fails(400, "prompt is too long: 210000 tokens > 200000 maximum"), 200000),
        (fails(400, "the request exceeds the available context size (8192 tokens)"), 8192),
        (
            fails(
                400,
                "The input token count (1200000) exceeds the maximum number of tokens allowed"
                " (1048576).",
            ),
            1048576,
        ),
        (fails(413, "Request entity too large"), None),
    ],
)
def test_an_overflow_is_known_by_many_words_with_its_window(answer, window):
    with ModelServer([answer]) as server, pytest.raises(ContextOverflowError) as caught:
        Asked(server).complete(HELLO)
    assert caught.value.window == window


@pytest.mark.parametrize(
    "answer",
    [
        refuses_tools(),
        fails(400, '"auto" tool choice requires --enable-auto-tool-choice and a parser'),
        fails(500, "tools param requires --jinja flag"),
        fails(404, "No endpoints found that support tool use."),
        fails(400, "Unrecognized request argument supplied: tools"),
        fails(400, "registry.ollama.ai/library/gemma does not support tools"),
    ],
    ids=lambda answer: json.loads(answer.body)["error"]["message"][:30],
)
def test_a_server_that_refuses_tools_is_told_apart(answer):
    with ModelServer([answer]) as server, pytest.raises(ToolsUnsupportedError):
        Asked(server).complete(HELLO, [BASH])


SHOWN = [{"role": "user", "content": [image_part(Image("image/png", b"x"))]}]


@pytest.mark.parametrize(
    "answer",
    [
        fails(400, "tester is not a multimodal model"),
        fails(400, "Invalid content type. image_url is only supported by certain models."),
        fails(400, "messages.0.content.1.image.source: image exceeds 5 MB maximum"),
        fails(400, "Could not process image"),
        fails(404, "No endpoints found that support image input"),
        fails(413, "Request Entity Too Large"),
        fails(422, "messages[3]: unknown variant `image_url`, expected `text`"),
        fails(500, "image input is not supported - hint: you may need to provide the mmproj"),
    ],
    ids=lambda answer: str(answer.body)[25:60],
)
def test_a_refusal_of_images_is_told_apart_where_there_were_any(answer):
    with ModelServer(lambda _: answer) as server:
        asked = Asked(server, retries=0)
        with pytest.raises(ImagesRefusedError):
            asked.complete(SHOWN)
        with pytest.raises(ModelError) as other:
            asked.complete(HELLO)
    assert not isinstance(other.value, ImagesRefusedError)


def test_a_rate_limit_that_speaks_of_images_passes():
    with ModelServer([fails(429, "images per minute exceeded"), says("hi")]) as server:
        assert Asked(server).complete(SHOWN).text == "hi"
