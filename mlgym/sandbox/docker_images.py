"""An image's form for docker: built by the daemon from the image's Dockerfile and requirements.

On a base that is given (`--base-image`, `--from-debian`) the build needs no network at all: wheels
are downloaded by the host, or were carried there in `$MLGYM_HOME/wheels`, and installed without an
index. `--from-debian` makes the base itself, with debootstrap, and needs no image registry either.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from mlgym import catalog
from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.docker_client import connect, docker_errors
from mlgym.sandbox.images import ImageSpec, Log, load_image
from mlgym.sandbox.scratch import scratch

DEBIAN_SUITE = "bookworm"
IMAGE_PYTHON = "3.11"
DEBIAN_TAG = f"mlgym/debian:{DEBIAN_SUITE}-python{IMAGE_PYTHON}"
_DEBIAN_PACKAGES = "python3,python3-venv,procps"
_LAST_LINES = 20


def docker_tag(image: ImageSpec) -> str:
    """The tag of the image as it is described now."""
    return f"mlgym/{image.name}:{image.digest(image.dockerfile.read_text('utf-8'))}"


def require_docker_image(client: Any, name: str) -> str:
    """The tag of the built image. Raises SandboxError naming the command that builds it."""
    tag = docker_tag(load_image(name))
    with docker_errors("the daemon's images cannot be listed"):
        if not client.images.list(name=tag):
            raise SandboxError(
                f"the image {name!r} has not been built for docker:"
                f" `mlgym images build {name} --sandbox docker` builds it (with --from-debian"
                " where no image registry can be reached)"
            )
    return tag


def build_docker_image(
    name: str,
    *,
    base_image: str | None = None,
    from_debian: bool = False,
    log: Log = lambda _: None,
) -> str:
    """Build the image and return its tag. `log` gets a line at a time.

    `base_image` must have Python 3.11, which the requirements are pinned for, as `python3`.

    Raises:
        ConfigError: no such image, or both a base and `from_debian`.
        SandboxError: no daemon, or the build failed.
    """
    if base_image and from_debian:
        raise ConfigError("--base-image and --from-debian exclude each other")
    image = load_image(name)
    tag = docker_tag(image)
    client = connect()
    try:
        if from_debian:
            base_image = _debian_base(client, log)
        with scratch("build") as folder:
            context = Path(folder)
            shutil.copyfile(image.dockerfile, context / "Dockerfile")
            shutil.copyfile(image.requirements, context / "requirements.txt")
            (context / "wheels").mkdir()
            if base_image:
                _copy_wheels(image, context / "wheels", log)
            _build(client, context, tag, base_image, log)
    finally:
        client.close()
    return tag


def _build(client: Any, context: Path, tag: str, base: str | None, log: Log) -> None:
    log(f"building {tag}")
    given = {"buildargs": {"BASE_IMAGE": base}, "network_mode": "none"} if base else {}
    last: list[str] = []
    with docker_errors(f"{tag} cannot be built"):
        # Without `forcerm` the container of a step that failed stays for ever.
        for entry in client.api.build(
            path=str(context), tag=tag, rm=True, forcerm=True, decode=True, **given
        ):
            if "error" in entry:
                words = "\n".join(last[-_LAST_LINES:])
                raise SandboxError(f"{tag} cannot be built: {entry['error']}\n{words}")
            last += [line for line in str(entry.get("stream", "")).splitlines() if line.strip()]


def wheel_folder(image: ImageSpec) -> Path:
    """Where the wheels of an image lie that docker builds without an index, there or not."""
    return catalog.home() / "wheels" / f"{image.name}-{image.digest(IMAGE_PYTHON)}"


def _copy_wheels(image: ImageSpec, into: Path, log: Log) -> None:
    """The image's wheels for its Python, downloaded once for all builds."""
    cache = wheel_folder(image)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cache}.lock"):
        if not cache.is_dir():
            log(f"downloading the wheels of {image.name}")
            fresh = Path(tempfile.mkdtemp(prefix=f"{cache.name}.new-", dir=cache.parent))
            try:
                _run(
                    f"the wheels of {image.name} cannot be downloaded",
                    [
                        *(sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"),
                        *("download", "--quiet", "--dest", str(fresh), "--only-binary", ":all:"),
                        *("--python-version", IMAGE_PYTHON),
                        *("--requirement", str(image.requirements)),
                    ],
                )
                fresh.rename(cache)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    for wheel in cache.iterdir():
        shutil.copyfile(wheel, into / wheel.name)


def _debian_base(client: Any, log: Log) -> str:
    """The tag of a minimal Debian with Python, made here if the daemon has none."""
    with docker_errors("the daemon's images cannot be listed"):
        if client.images.list(name=DEBIAN_TAG):
            return DEBIAN_TAG
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise SandboxError("--from-debian needs debootstrap: `sudo apt-get install debootstrap`")
    if os.getuid() != 0:
        raise SandboxError(
            "--from-debian needs root, as debootstrap does: use sudo, or --base-image"
        )
    log(f"making {DEBIAN_TAG} with debootstrap")
    with scratch("debian") as folder:
        root = Path(folder) / "root"
        include = f"--include={_DEBIAN_PACKAGES}"
        failed = f"{DEBIAN_TAG} cannot be made"
        _run(failed, [program, "--variant=minbase", include, DEBIAN_SUITE, str(root)])
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        packed = Path(folder) / "root.tar"
        _run(failed, ["tar", "--numeric-owner", "-C", str(root), "-cf", str(packed), "."])
        repository, _, tag = DEBIAN_TAG.partition(":")
        with docker_errors(f"{DEBIAN_TAG} cannot be imported"):
            client.api.import_image_from_file(str(packed), repository=repository, tag=tag)
    return DEBIAN_TAG


def _run(failed: str, command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise SandboxError(f"{failed}: {' '.join(command)}\n{last}")
