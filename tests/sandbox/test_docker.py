"""What is docker's own: the container's options, its loss, its end, mounts as volumes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import SandboxError
from mlgym.sandbox.conformance import LIMITS, conformance_spec
from mlgym.sandbox.docker import DockerSandbox, reap_docker
from mlgym.sandbox.docker_client import connect
from mlgym.sandbox.docker_images import build_docker_image

pytestmark = pytest.mark.docker

OWNER = """
import sys
from pathlib import Path
from mlgym.sandbox.docker import DockerSandbox
from mlgym.sandbox.conformance import conformance_spec
sandbox = DockerSandbox(conformance_spec(Path(sys.argv[1])))
sandbox.start()
print(sandbox._launcher._container.id, flush=True)
sandbox.run("sleep 1000", 1000)
"""


@pytest.fixture
def client() -> Iterator[Any]:
    client = connect()
    yield client
    client.close()


def ids(client: Any) -> set[str]:
    return {container.id for container in client.containers.list(all=True)}


def container_of(sandbox: DockerSandbox) -> Any:
    return sandbox._launcher._container  # type: ignore[attr-defined]


def test_the_container_is_closed_up_and_limited(tmp_path: Path) -> None:
    with DockerSandbox(conformance_spec(tmp_path)) as sandbox:
        container = container_of(sandbox)
        container.reload()
        host = container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["NetworkMode"] == "none"
        assert host["CapDrop"] == ["ALL"]
        assert host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes
        assert host["PidsLimit"] == LIMITS.processes
        assert host["NanoCpus"] == 1_000_000_000
        assert "no-new-privileges" in host["SecurityOpt"][0]
        assert container.labels["mlgym.label"] == "conformance"
        assert sandbox.run("touch /x /usr/x", 5).exit_code != 0


def test_a_closed_sandbox_leaves_no_container(tmp_path: Path, client: Any) -> None:
    with DockerSandbox(conformance_spec(tmp_path)) as sandbox:
        name = container_of(sandbox).id
        assert name in ids(client)
    sandbox.close()
    assert name not in ids(client)


def test_a_container_removed_under_us_is_a_sandbox_error_and_reset_starts_anew(
    tmp_path: Path, client: Any
) -> None:
    with DockerSandbox(conformance_spec(tmp_path)) as sandbox:
        client.containers.get(container_of(sandbox).id).remove(force=True)
        with pytest.raises(SandboxError, match="lost"):
            sandbox.run("true", 5)
        sandbox.reset()
        assert sandbox.run("cat hello.py", 5).output == "print('hello')\n"


def test_a_container_ends_with_its_owner(tmp_path: Path, client: Any) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    name = owner.stdout.readline().strip()
    assert name in ids(client)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 5.0
    while name in ids(client) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert name not in ids(client)


def test_what_dead_owners_left_is_reaped_and_what_lives_is_not(tmp_path: Path, client: Any) -> None:
    import socket

    from mlgym.sandbox.docker_images import docker_tag
    from mlgym.sandbox.images import load_image

    labels = {"mlgym.owner": "999999:1", "mlgym.host": socket.gethostname(), "mlgym.label": "x"}
    dead = client.containers.create(
        docker_tag(load_image("base")), ["true"], labels=labels, network_mode="none"
    )
    volume = client.volumes.create(labels=labels)
    with DockerSandbox(conformance_spec(tmp_path)) as sandbox:
        removed = reap_docker()
        assert f"container {dead.name}" in removed
        assert f"volume {volume.name}" in removed
        assert sandbox.run("echo alive", 5).output == "alive\n"
    assert dead.id not in ids(client)


def test_a_remote_daemons_mounts_are_copied_into_volumes(tmp_path: Path, client: Any) -> None:
    sandbox = DockerSandbox(conformance_spec(tmp_path), copy_mounts=True)
    before = {volume.name for volume in client.volumes.list()}
    with sandbox:
        assert sandbox.run("cat data/train.csv", 5).output == "a,b\n1,2\n"
        assert sandbox.run("touch data/x", 5).exit_code != 0
        sandbox.reset()
        assert sandbox.run("ls data", 5).output == "train.csv\n"
    assert {volume.name for volume in client.volumes.list()} == before


def test_no_daemon_is_one_sentence_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / "spec").mkdir()
    with pytest.raises(SandboxError, match="systemctl start docker") as error:
        DockerSandbox(conformance_spec(tmp_path / "spec")).start()
    assert "\n" not in str(error.value)


def test_an_unbuilt_image_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pack" / "containers" / "tiny"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text("name: tiny\ndescription: nothing much\n")
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setenv("MLGYM_PATH", str(tmp_path / "pack"))
    (tmp_path / "spec").mkdir()
    with pytest.raises(SandboxError, match="mlgym images build tiny --sandbox docker"):
        DockerSandbox(conformance_spec(tmp_path / "spec", image="tiny")).start()


def test_an_unknown_runtime_is_the_daemons_no(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nosuchruntime"):
        DockerSandbox(conformance_spec(tmp_path), runtime="nosuchruntime").start()


def test_a_failing_build_shows_the_daemons_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    from mlgym.sandbox.docker_images import docker_tag
    from mlgym.sandbox.images import load_image

    base = docker_tag(load_image("base"))
    folder = tmp_path / "pack" / "containers" / "broken"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text("name: broken\ndescription: cannot be built\n")
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo oh no; false\n"
    )
    monkeypatch.setenv("MLGYM_PATH", str(tmp_path / "pack"))
    with pytest.raises(SandboxError, match="oh no"):
        build_docker_image("broken", base_image=base)
