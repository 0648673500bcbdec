"""Images by name, and their environments for bubblewrap."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from mlgym.errors import ConfigError, SandboxError
from mlgym.sandbox.images import (
    build_environment,
    built_environment,
    environment_path,
    load_image,
    require_environment,
)


def test_an_environment_is_built_once_and_runs_on_the_host(pack: Path) -> None:
    image = load_image("tiny")
    assert built_environment(image) is None
    said: list[str] = []
    path = build_environment(image, said.append)
    assert len(said) == 1
    assert build_environment(image, said.append) == path == require_environment("tiny")
    assert len(said) == 1
    python = path / "bin" / "python"
    prefix = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert prefix.stdout.strip() == str(path)


def test_scripts_name_the_place_where_they_will_lie_and_all_may_read_them(pack: Path) -> None:
    path = build_environment(load_image("tiny"))
    # In its first line, or, where pip was told a long path, in the second.
    (first, second) = (path / "bin" / "pip").read_text().splitlines()[:2]
    assert "/opt/env/bin/python" in first + second
    assert str(path) not in first + second
    assert all(file.stat().st_mode & 0o004 for file in path.rglob("*") if file.is_file())


def test_scripts_name_that_place_however_long_or_spaced_the_home_is(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path / ("a long name " * 10)))
    path = build_environment(load_image("tiny"))
    text = (path / "bin" / "pip").read_text()
    assert "/opt/env/bin/python" in text
    assert str(tmp_path) not in text


def test_what_the_host_can_import_is_installed_all_the_same(
    pack: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    (pack / "requirements.txt").write_text("carried==1.0\n")
    path = build_environment(load_image("tiny"))
    assert list(path.glob("lib/python*/site-packages/carried.py"))


def test_other_pins_are_another_environment(pack: Path) -> None:
    before = environment_path(load_image("tiny"))
    (pack / "requirements.txt").write_text("six==1.17.0\n")
    assert environment_path(load_image("tiny")) != before


def test_a_failed_build_says_what_pip_said_and_leaves_nothing(pack: Path) -> None:
    (pack / "requirements.txt").write_text("mlgym-no-such-package==9.9\n")
    image = load_image("tiny")
    with pytest.raises(SandboxError, match="mlgym-no-such-package"):
        build_environment(image)
    assert built_environment(image) is None
    assert [path.name for path in environment_path(image).parent.iterdir() if path.is_dir()] == []


def test_what_an_interrupted_build_left_is_swept(pack: Path) -> None:
    image = load_image("tiny")
    left = environment_path(image).with_name(f"{environment_path(image).name}.new-dead")
    left.mkdir(parents=True)
    build_environment(image)
    assert not left.exists()


def test_a_missing_environment_names_the_command(pack: Path) -> None:
    with pytest.raises(SandboxError, match="mlgym images build tiny --sandbox bubblewrap"):
        require_environment("tiny")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: other\ndescription: x\n", "expected the folder's"),
        ("name: tiny\n", "description"),
        ("name: tiny\ndescription: x\nrequirement: y\n", "requirement"),
        ("name: tiny\ndescription: x\ndockerfile: Nofile\n", "Nofile"),
        ("name: [\n", "image.yaml"),
    ],
)
def test_a_broken_image_file_is_refused(pack: Path, text: str, words: str) -> None:
    (pack / "image.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_image("tiny")


def test_an_unknown_image_is_refused_with_the_nearest(pack: Path) -> None:
    with pytest.raises(ConfigError, match="tiny"):
        load_image("tyni")
