"""No image carries the data of a task: neither what is asked nor the answers, packed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mlgym import catalog
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.data import Prepared, prepare
from mlgym.task.manifest import SALT
from mlgym.task.spec import find_task, task_files

SIZE = 24
PIECES = 10
LEAST = 4096
"""Bytes of a file that is more than a setting, which a library may well hold too."""
PACKED: dict[str, Callable[[Path], Iterator[bytes]]] = {
    ".gz": lambda path: iter([gzip.decompress(path.read_bytes())]),
    ".bz2": lambda path: iter([bz2.decompress(path.read_bytes())]),
    ".xz": lambda path: iter([lzma.decompress(path.read_bytes())]),
    ".npz": lambda path: members(path),
    ".zip": lambda path: members(path),
}


def members(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield archive.read(name)


def prepared(name: str) -> Prepared:
    task = find_task(name)
    python = build_environment(load_image(task.spec.image), print) / "bin" / "python"
    return prepare(task, "mini", 0, python)


def contents(path: Path) -> list[bytes]:
    """What a file holds, unpacked where it is what its name says."""
    with suppress(OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile):
        if path.suffix in PACKED:
            return list(PACKED[path.suffix](path))
    return [path.read_bytes()]


def files(data: Prepared) -> Iterator[Path]:
    for folder in (data.public, data.private):
        yield from (path for name, path in task_files(folder) if name != SALT)


def telling(piece: bytes) -> bool:
    """Whether a piece of data would hardly stand anywhere by chance."""
    return len(piece) == SIZE and len(set(piece)) >= SIZE // 2 and not set(piece) & set(b"\n\r\0")


def pieces(data: Prepared) -> set[bytes]:
    """Some bytes out of every file of a task's data, as `grep -F` takes them."""
    found: set[bytes] = set()
    for path in files(data):
        for content in contents(path):
            if len(content) < LEAST:
                continue
            # Not its first bytes: a file of arrays begins like every other.
            places = np.linspace(256, len(content) - SIZE, 4 * PIECES, dtype=int)
            cut = [content[place : place + SIZE] for place in places]
            found.update([piece for piece in cut if telling(piece)][:PIECES])
    return found


def where(folder: Path, wanted: set[bytes], tmp_path: Path) -> list[str]:
    """The files below `folder` that hold one of `wanted`."""
    unpacked = tmp_path / "unpacked"
    for path in folder.rglob("*"):
        if path.suffix in PACKED and path.is_file():
            there = unpacked / path.relative_to(folder)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(b"\n".join(contents(path)))
    (tmp_path / "pieces").write_bytes(b"\n".join(sorted(wanted)))
    places = [str(place) for place in (folder, unpacked) if place.exists()]
    done = subprocess.run(
        ["grep", "-rlaF", "-f", str(tmp_path / "pieces"), *places],
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def data() -> dict[str, set[bytes]]:
    found = {name: pieces(prepared(name)) for name in sorted(catalog.shelf("tasks"))}
    return {name: some for name, some in found.items() if some}


@pytest.mark.parametrize("image", sorted(catalog.shelf("containers")))
def test_an_image_holds_no_task_s_data(
    data: dict[str, set[bytes]], image: str, tmp_path: Path
) -> None:
    folder = build_environment(load_image(image), print)
    assert where(folder, set().union(*data.values()), tmp_path) == []


def test_data_would_be_found_packed_or_not(data: dict[str, set[bytes]], tmp_path: Path) -> None:
    assert "house_price" in data
    folder = tmp_path / "image"
    for name in data:
        path = max(files(prepared(name)), key=lambda path: path.stat().st_size)
        (folder / name).mkdir(parents=True)
        shutil.copy(path, folder / name)
        with gzip.open(folder / f"{name}.gz", "wb") as file:
            file.write(b"".join(contents(path)))
    found = where(folder, set().union(*data.values()), tmp_path)
    assert {Path(path).relative_to(tmp_path).parts[1] for path in found} == {
        *data,
        *(f"{name}.gz" for name in data),
    }
