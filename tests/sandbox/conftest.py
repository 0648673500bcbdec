"""Packs with an image of their own, and a wheel to install where no index answers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack's image `tiny`, and a home of its own."""
    folder = tmp_path / "pack" / "containers" / "tiny"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text("name: tiny\ndescription: nothing much\n")
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setenv("MLGYM_PATH", str(tmp_path / "pack"))
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel of a package `carried`, version 1.0, in a folder of its own."""
    path = tmp_path / "carried" / "carried-1.0-py3-none-any.whl"
    path.parent.mkdir()
    info = "carried-1.0.dist-info"
    files = {
        "carried.py": "VALUE = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return path
