"""Tasks of pictures in tests: reading their data, and datasets of the Hub as they are fetched."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import os
import struct
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlgym.sandbox.images import build_environment, load_image
from mlgym.task import data
from mlgym.task.data import Prepared
from mlgym.task.spec import Task

RUNNER = Path(data.__file__).with_name("data_runner.py")


def python_of(task: Task) -> Path:
    """The interpreter of the task's image."""
    return build_environment(load_image(task.spec.image), print) / "bin" / "python"


def labels(prepared: Prepared, part: str) -> dict[int, int]:
    with (prepared.private / f"{part}.csv").open(newline="") as stream:
        return {int(row["id"]): int(row["label"]) for row in csv.DictReader(stream)}


def hidden(prepared: Prepared) -> dict[int, int]:
    return labels(prepared, "validation") | labels(prepared, "test")


def submission(predicted: Mapping[int, int] | Iterable[int]) -> dict[str, str]:
    """Labels by id, or in the order of the ids from 0."""
    named = predicted if isinstance(predicted, Mapping) else dict(enumerate(predicted))
    lines = ["id,label", *(f"{name},{label}" for name, label in named.items())]
    return {"submission.csv": "\n".join(lines) + "\n"}


def distances(one: Any, other: Any) -> Any:
    """Euclidean distances [N, M] in grey levels of pictures [N, ...] and [M, ...]."""
    a, b = (x.reshape(len(x), -1).astype(np.float32) for x in (one, other))
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def png(pixels: Any) -> bytes:
    """A picture [H, W] or [H, W, 3], uint8, as a PNG file."""
    height, width = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_split(folder: Path, split: str, column: str, images: Any, classes: Any) -> None:
    """Rows as they are fetched from the Hub: one JSON object a line, pictures as base64."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{split}.jsonl.gz", "wt") as out:
        for image, label in zip(images, classes, strict=True):
            text = base64.b64encode(png(image)).decode()
            print(json.dumps({column: text, "label": int(label)}), file=out)


def run_full(task: Task, data_seed: int, sources: Path, into: Path) -> Prepared:
    """The `full` data as data.py makes it of the folder `sources`, however few rows are there."""
    for part in ("public", "private"):
        (into / part).mkdir(parents=True)
    script = [RUNNER, task.folder / str(task.spec.data), "full", data_seed]
    command = [python_of(task), "-B", "-P", "-s", *script, into / "public", into / "private"]
    read, write = os.pipe()  # the runner ends where its standard input does
    try:
        subprocess.run(
            list(map(str, command)), env={"MLGYM_SOURCES": str(sources)}, stdin=read, check=True
        )
    finally:
        os.close(read)
        os.close(write)
    return Prepared(into / "public", into / "private", "full", data_seed)
