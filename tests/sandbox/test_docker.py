"""What is docker's own: the container's options, its loss, its end, mounts as volumes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlgym.errors import SandboxError
from mlgym.sandbox.conformance import LIMITS, conformance_spec
from mlgym.sandbox.docker import DockerSandbox, _in_force, reap_docker
from mlgym.sandbox.docker_client import connect, is_local, owner_is_dead, owner_label, this_host

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
    return {found["Id"] for found in client.api.containers(all=True)}


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


def test_the_limits_in_force_are_those_that_the_daemon_set(tmp_path: Path) -> None:
    with DockerSandbox(conformance_spec(tmp_path)) as sandbox:
        held = sandbox.limits_in_force
        host = container_of(sandbox).attrs["HostConfig"]
    assert (held.memory_bytes, held.processes, held.cpus) == (
        LIMITS.memory_bytes,
        LIMITS.processes,
        1.0,
    )
    # A kernel without memory control groups: the daemon leaves the limit out, with a warning.
    without = _in_force(LIMITS, {**host, "Memory": 0})
    assert without.memory_bytes is None
    assert "memory_bytes" not in without.mechanism
    assert "processes" in without.mechanism


@pytest.mark.parametrize("copied", [False, True], ids=["bound", "copied"])
def test_one_folder_can_be_mounted_twice_and_hold_a_colon(tmp_path: Path, copied: bool) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "f").write_text("x\n")
    (tmp_path / "spec").mkdir()
    spec = conformance_spec(tmp_path / "spec")
    spec = replace(spec, mounts=(*spec.mounts, (folder, "/answers"), (folder, "/grader")))
    with DockerSandbox(spec, copy_mounts=copied) as sandbox:
        assert sandbox.run("cat /answers/f /grader/f", 5).output == "x\nx\n"
        assert sandbox.run("touch /answers/g", 5).exit_code != 0


def test_a_missing_folder_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    spec = conformance_spec(tmp_path / "spec")
    missing = tmp_path / "missing"
    with pytest.raises(SandboxError, match="missing"):
        DockerSandbox(replace(spec, mounts=(*spec.mounts, (missing, "/answers")))).start()
    assert not missing.exists()


@pytest.mark.parametrize(
    ("address", "local"),
    [("http+docker://localhost", True), ("http+docker://ssh", False), ("https://x:2376", False)],
)
def test_a_daemon_behind_ssh_or_tcp_does_not_see_our_files(address: str, local: bool) -> None:
    assert is_local(SimpleNamespace(api=SimpleNamespace(base_url=address))) is local


def test_an_owner_is_dead_only_where_its_pid_can_be_judged() -> None:
    mine = owner_label("x")
    assert not owner_is_dead(mine)
    assert owner_is_dead({**mine, "mlgym.owner": f"{os.getpid()}:1"})
    assert not owner_is_dead({**mine, "mlgym.owner": f"{os.getpid()}:1", "mlgym.host": "other"})
    assert not owner_is_dead({})


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
    from mlgym.sandbox.docker_images import docker_tag
    from mlgym.sandbox.images import load_image

    labels = {"mlgym.owner": "999999:1", "mlgym.host": this_host(), "mlgym.label": "x"}
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


def test_an_unbuilt_image_names_the_command(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    with pytest.raises(SandboxError, match="mlgym images build tiny --sandbox docker"):
        DockerSandbox(conformance_spec(tmp_path / "spec", image="tiny")).start()


def test_an_unknown_runtime_is_the_daemons_no(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nosuchruntime"):
        DockerSandbox(conformance_spec(tmp_path), runtime="nosuchruntime").start()
