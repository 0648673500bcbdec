"""Images built by a Docker daemon: on a given base, without a network, and failing."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.docker_client import connect
from mlgym.sandbox.docker_images import build_docker_image, docker_tag, wheel_folder
from mlgym.sandbox.images import load_image

on_docker = pytest.mark.docker
BASE_FOLDER = Path(__file__).parents[2] / "containers" / "base"


@pytest.fixture
def client() -> Iterator[Any]:
    with contextlib.closing(connect()) as client:
        yield client


@pytest.fixture
def base() -> str:
    """An image that has Python and needs no registry: ours."""
    return docker_tag(load_image("base"))


def containers_of(client: Any, command: str) -> list[str]:
    """The containers, ended ones too, that were started with a command that holds `command`."""
    found = client.api.containers(all=True)
    return [one["Id"] for one in found if command in one["Command"]]


@on_docker
def test_a_build_on_a_given_base_installs_carried_wheels_without_a_network(
    base: str, pack: Path, wheel: Path, client: Any
) -> None:
    shutil.copyfile(BASE_FOLDER / "Dockerfile", pack / "Dockerfile")
    (pack / "requirements.txt").write_text("carried==1.0\n")
    image = load_image("tiny")
    wheel_folder(image).mkdir(parents=True)
    shutil.copy(wheel, wheel_folder(image))
    tag = build_docker_image("tiny", base_image=base)
    try:
        said = client.containers.run(
            tag,
            ["/opt/env/bin/python", "-c", "import carried; print(carried.VALUE)"],
            network_mode="none",
            remove=True,
        )
        assert said == b"42\n"
    finally:
        client.images.remove(tag, force=True)


@on_docker
def test_a_failing_build_shows_the_daemons_words_and_leaves_no_container(
    base: str, pack: Path, client: Any
) -> None:
    words = f"oh no, in {pack.parents[2].name}"
    (pack / "Dockerfile").write_text(
        f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nRUN echo '{words}'; false\n"
    )
    wheel_folder(load_image("tiny")).mkdir(parents=True)
    with pytest.raises(SandboxError, match=words):
        build_docker_image("tiny", base_image=base)
    assert containers_of(client, words) == []


@on_docker
def test_wheels_that_cannot_be_downloaded_are_named_and_leave_nothing(
    base: str, pack: Path
) -> None:
    (pack / "requirements.txt").write_text("mlgym-no-such-package==9.9\n")
    with pytest.raises(SandboxError, match="mlgym-no-such-package") as error:
        build_docker_image("tiny", base_image=base)
    assert "the wheels of tiny cannot be downloaded" in str(error.value)
    folder = wheel_folder(load_image("tiny")).parent
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


def test_two_bases_at_once_are_refused(pack: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        build_docker_image("tiny", base_image="x", from_debian=True)
