"""view_image: what the host reads of a picture that an agent made, and what it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from drawn import gif, jpeg, png, webp
from hypothesis import given
from hypothesis import strategies as st

from mlgym.env import MLGymEnv
from mlgym.tools.base import ActionError
from mlgym.tools.images import MAX_BYTES, read_image

KINDS = {
    "png": png(640, 480),
    "jpeg": jpeg(640, 480),
    "gif": gif(640, 480),
    "webp": webp(b"VP8 ", 640, 480),
    "webp lossless": webp(b"VP8L", 640, 480),
    "webp extended": webp(b"VP8X", 640, 480),
}


@pytest.fixture(scope="module")
def env() -> Iterator[MLGymEnv]:
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini", max_steps=10_000)
    env.reset()
    yield env
    env.close()


@pytest.mark.parametrize("kind", KINDS)
def test_kind_and_size_are_read_from_the_content(kind: str) -> None:
    name = kind.partition(" ")[0]
    image, told = read_image("a.txt", KINDS[kind])
    assert (image.media_type, image.data) == (f"image/{name}", KINDS[kind])
    size = len(KINDS[kind])
    assert told == f"[a.txt: {name.upper()}, 640 x 480 pixels, {size} bytes]\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_header_is_refused_wherever_it_breaks(kind: str) -> None:
    whole = KINDS[kind]
    refused = 0
    for length in range(min(len(whole), 50)):
        with contextlib.suppress(ActionError):
            # Once it is not refused all that is read of it was there.
            assert "640 x 480" in read_image("a.png", whole[:length])[1]
            continue
        refused += 1
    assert refused >= 10


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no PNG, JPEG, GIF or WebP"),
        (b"a text\n", "no PNG, JPEG, GIF or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG, JPEG, GIF or WebP"),
        (png()[:40], "no whole PNG: it breaks off"),
        (png()[:12] + b"JUNK" + png()[16:], "no whole PNG: its header is broken"),
        (png(0, 5), "no whole PNG: it has no extent"),
        (png(8001, 1), "8001 x 1 pixels; scale it"),
        (gif(0, 0), "no whole GIF"),
        (b"\xff\xd8\xff\xe0\0\0" + b"\xff" * 20, "no whole JPEG: its header is broken"),
        (b"\xff\xd8" + b"\xff\xe0\xff\xff" * 9, "no whole JPEG: it breaks off"),
        (b"\xff\xd8" + b"\xff" * 90_000, "no whole JPEG: its header is broken"),
        (b"12345678WEBPVP8 " + b"\1" * 20, "no whole WEBP"),
    ],
)
def test_what_is_no_picture_says_so(data: bytes, words: str) -> None:
    with pytest.raises(ActionError) as error:
        read_image("a.png", data)
    assert words in str(error.value)


starts = st.sampled_from(
    [b"", *(whole[:n] for whole in KINDS.values() for n in (3, 8, 12, 16, 24))]
)


@given(starts, st.binary(max_size=200))
def test_whatever_the_bytes_the_answer_is_an_image_or_a_reason(start: bytes, rest: bytes) -> None:
    try:
        image, _ = read_image("a", start + rest)
    except ActionError:
        return
    assert image.data == start + rest


def test_a_picture_of_the_workspace_is_shown_and_told_of(env: MLGymEnv) -> None:
    env.sandbox.write("plots/my loss.dat", png())
    env.sandbox.write("plots/link", b"")
    env.step("cd plots && ln -sf 'my loss.dat' link")
    wanted = f"PNG, 3 x 2 pixels, {len(png())} bytes]\n"
    for action, path in (
        ("view_image 'my loss.dat'", "my loss.dat"),
        ("view_image link", "link"),
        ("view_image /workspace/plots/link", "link"),
    ):
        observation, _, _, _, info = env.step(action)
        assert observation == f"[/workspace/plots/{path}: {wanted}"
        assert info.keys() == {"step", "remaining_steps", "tool"}
        assert env.episode.image is not None
        assert env.episode.image.data == png()
        assert env.last_transition is not None
        assert env.last_transition.image == env.episode.image.name
    env.step("cd ..")
    assert env.episode.image is None
    assert env.last_transition.image is None


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("view_image notes.png", "no PNG, JPEG, GIF or WebP"),
        ("view_image gone.png", "No such file"),
        ("view_image /workspace", "Is a directory"),
        ("view_image big.png", f"more than {MAX_BYTES} bytes"),
        ("view_image pipe.png", "Invalid argument"),
        ("view_image shadow.png", "Permission denied"),
        ("view_image loop.png", "symbolic links"),
        ("view_image proc.png", "Permission denied"),
        ("view_image /dev/zero", "Invalid argument"),
        ("view_image a.png && ls", "Send alone: view_image <path>"),
        ("view_image", "Send: view_image <path>"),
        ("for i in 1; do view_image a.png; done", "send it alone"),
    ],
)
def test_a_file_that_cannot_be_shown_says_why(env: MLGymEnv, action: str, words: str) -> None:
    env.sandbox.write("notes.png", b"a text\n")
    env.step(
        "truncate -s 50M big.png; mkfifo pipe.png; ln -s loop.png loop.png;"
        " ln -s /proc/self/environ proc.png; cp notes.png shadow.png; chmod 0 shadow.png"
    )
    assert words in env.step(action)[0]
    assert env.episode.image is None
