"""A Docker daemon of the tests' own, to be stopped and killed; the machine's is left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from breakage import alive, wait_for

SMALL = """
import sys, tarfile
# Packages and documents are most of the image, and no task of these tests imports any.
UNUSED = ("usr/share/doc/", "usr/share/locale/", "usr/share/man/", "usr/include/")
source = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
target = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for member in source:
    if "/site-packages/" not in member.name and not member.name.startswith(UNUSED):
        target.addfile(member, source.extractfile(member) if member.isreg() else None)
target.close()
"""


def missing() -> str | None:
    """Why no daemon can be started here; None where one can."""
    if os.getuid() != 0:
        return "only root can start a Docker daemon of its own"
    if shutil.which("dockerd") is None:
        return "there is no dockerd: `sudo apt-get install docker.io`"
    return None


class Daemon:
    """A daemon in a folder of its own. It is stopped at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._pid: int | None = None

    def start(self) -> None:
        # What one that was killed has left: its containerd may not be reaped yet, and looks alive.
        for name in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / name).unlink(missing_ok=True)
        # No child of ours: the tests look at what they leave running.
        command = ["setsid", "--fork", "dockerd", "--host", self.address]
        command += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "--iptables=false", "--bridge=none"]
        command += ["--containerd-namespace", "own", "--containerd-plugins-namespace", "own-p"]
        with (self.folder / "log").open("ab") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        assert wait_for(self.answers, 60), (self.folder / "log").read_text()[-2000:]
        self._pid = int((self.folder / "pid").read_text())

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return client.ping()
        except (docker.errors.DockerException, OSError):
            return False

    @contextmanager
    def client(self) -> Iterator[Any]:
        client = docker.DockerClient(base_url=self.address)
        try:
            yield client
        finally:
            client.close()

    def containers(self) -> list[Any]:
        with self.client() as client:
            return client.api.containers(all=True)

    def end(self, number: int = signal.SIGTERM) -> None:
        """Signal it, and wait for it to end."""
        pid, self._pid = self._pid, None
        if pid is not None:
            os.kill(pid, number)
            assert wait_for(lambda: not alive(pid), 60)

    def ensure(self) -> None:
        """Running, whatever a test left it in, and without containers."""
        if self._pid is None:
            self.start()
        with self.client() as client:
            for found in client.api.containers(all=True):
                with contextlib.suppress(docker.errors.NotFound):  # it may be removing itself
                    client.api.remove_container(found["Id"], force=True)

    def take_image(self, tag: str) -> None:
        """Copy an image of the machine's own daemon."""
        made = subprocess.run(
            ["docker", "create", "--network", "none", tag, "true"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        try:
            copy = f"docker export {made} | {sys.executable} -c '{SMALL}' |" + (
                f" docker --host {self.address} import - {tag}"
            )
            subprocess.run(["bash", "-o", "pipefail", "-c", copy], check=True, capture_output=True)
        finally:
            subprocess.run(["docker", "rm", made], check=True, capture_output=True)


@contextmanager
def own_daemon(image: str) -> Iterator[Daemon]:
    """A running daemon that has `image`; afterwards nothing of it runs or lies anywhere."""
    # A socket's path may have a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="own-docker-", dir="/tmp"))
    daemon = Daemon(folder)
    try:
        daemon.start()
        daemon.take_image(image)
        yield daemon
        daemon.ensure()
    finally:
        daemon.end()
        assert wait_for(lambda: not [p for p in processes_in(folder) if alive(p)], 10)
        for point in mounts_in(folder):
            subprocess.run(["umount", "--lazy", point], check=True)
        shutil.rmtree(folder)


def mounts_in(folder: Path) -> list[str]:
    """Mount points that a killed daemon leaves, the innermost first."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder}/")]


def processes_in(folder: Path) -> list[int]:
    """The processes that name something in a folder, containers' shims among them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
