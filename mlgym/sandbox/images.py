"""Images by name, and their form for bubblewrap: a virtual environment, built once.

An image is a folder under `containers/`; its `requirements.txt` pins what a task's code may import
and feeds both backends. The environment lies in `$MLGYM_HOME/envs/<name>-<hash>` and is bound at
`/opt/env`; it also runs the tasks' data scripts on the host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from mlgym import catalog
from mlgym.errors import ConfigError, SandboxError

INSIDE = "/opt/env"
Log = Callable[[str], None]
_LAST_LINES = 15


class ImageFile(BaseModel):
    """The fields of `image.yaml`. Paths are relative to its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    requirements: str = "requirements.txt"
    dockerfile: str = "Dockerfile"


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image: its name, its folder, and what it is built from."""

    name: str
    folder: Path
    description: str
    requirements: Path
    dockerfile: Path

    def digest(self, *others: str) -> str:
        """A short hash over the requirements and `others`."""
        text = "\0".join([self.requirements.read_text("utf-8"), *others])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_image(name: str) -> ImageSpec:
    """The image `name` of the catalogue.

    Raises:
        ConfigError: no such image, or its `image.yaml` is broken.
    """
    folder = catalog.resolve("containers", name)
    path = folder / "image.yaml"
    try:
        fields = _fields(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if fields.name != name:
        raise ConfigError(f"{path}: name: found {fields.name!r}, expected the folder's, {name!r}")
    spec = ImageSpec(
        name,
        folder,
        fields.description,
        folder / fields.requirements,
        folder / fields.dockerfile,
    )
    for part in (spec.requirements, spec.dockerfile):
        if not part.is_file():
            raise ConfigError(f"{path}: names {part.name}, which is not there")
    return spec


@lru_cache(maxsize=64)  # a cold start would wait for YAML, and it asks often
def _fields(text: str) -> ImageFile:
    return ImageFile.model_validate(yaml.safe_load(text))


def environment_path(image: ImageSpec) -> Path:
    """Where the image's environment lies, built or not: it depends on pins and interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    return (
        catalog.home() / "envs" / f"{image.name}-{image.digest(version, sys.base_prefix, 'venv 1')}"
    )


def built_environment(image: ImageSpec) -> Path | None:
    """The image's environment, None where it has not been built."""
    path = environment_path(image)
    return path if path.is_dir() else None


def require_environment(name: str) -> Path:
    """The environment of the image `name`.

    Raises:
        ConfigError: no such image.
        SandboxError: it has not been built; names the command that builds it.
    """
    path = built_environment(load_image(name))
    if path is None:
        raise SandboxError(
            f"the image {name!r} has not been built for bubblewrap:"
            f" `mlgym images build {name} --sandbox bubblewrap` builds it"
        )
    return path


def build_environment(image: ImageSpec, log: Log = lambda _: None) -> Path:
    """Build the image's environment unless it is there. `log` gets a line at a time.

    Raises:
        SandboxError: the packages cannot be installed; shows pip's last lines.
    """
    final = environment_path(image)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{final}.lock"):
            if final.is_dir():
                return final
            for left_over in final.parent.glob(f"{final.name}.new-*"):
                shutil.rmtree(left_over)
            log(f"building the image {image.name} for bubblewrap ({image.description})")
            fresh = Path(tempfile.mkdtemp(prefix=f"{final.name}.new-", dir=final.parent))
            try:
                _install(image, fresh)
                _make_relocatable(fresh)
                fresh.rename(final)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise SandboxError(f"the image {image.name} cannot be built: {error}") from error
    return final


def _install(image: ImageSpec, folder: Path) -> None:
    base = (
        Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    )
    # Isolated, or pip takes what PYTHONPATH offers on the host for installed.
    _run([str(base), "-I", "-m", "venv", "--symlinks", str(folder)], image.name)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]
    _run(
        [
            *pip,
            "install",
            "--quiet",
            "--no-input",
            "--only-binary",
            ":all:",
            "--requirement",
            str(image.requirements),
        ],
        image.name,
    )


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=0o022,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise SandboxError(f"the image {name} cannot be built: {' '.join(command)}\n{last}")


def _make_relocatable(folder: Path) -> None:
    """Scripts name `/opt/env`, where they run; everything is readable for every user."""
    for script in (folder / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        try:
            text = script.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        # Not the first line alone: a path that is long or holds a space is named in the second.
        script.write_text(text.replace(str(folder), INSIDE), "utf-8")
    folder.chmod(0o755)
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            found = Path(path) / name
            if not found.is_symlink():
                found.chmod(found.stat().st_mode | (0o555 if found.is_dir() else 0o444))
