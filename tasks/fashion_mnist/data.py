"""Prepares Fashion-MNIST: training pictures with labels, and pictures whose labels are hidden.

`mini` reads items.png, 8,000 items that derive.py took from the published training items, and
draws 1,000 for the hidden validation, 1,000 for the hidden test. `full` is the published data set:
its 10,000 test items are the hidden test, 5,000 of its 60,000 training items the hidden
validation. Another data seed draws the hidden test of `full` from the training items too: what is
comparable stays out of it.

`test.npz` mixes both hidden parts, so that no submission can tell which of its rows is graded when.
"""

import base64
import gzip
import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, EACH = 28, 800
DATASET = "zalando-datasets__fashion_mnist__fashion_mnist"


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    rng = np.random.default_rng([data_seed, 28])
    if profile == "mini":
        images, labels = read_items(Path(__file__).parent / "items.png")
        validation, test, train = np.split(rng.permutation(len(images)), [1000, 2000])
    else:
        images, labels, published = read_full(Path(os.environ["MLGYM_SOURCES"]) / DATASET)
        drawn = rng.permutation(published)
        held_out, size = published // 12, len(images) - published
        test = np.arange(published, len(images)) if data_seed == 0 else drawn[-size:]
        validation, train = np.split(np.setdiff1d(drawn, test, assume_unique=True), [held_out])

    hidden = rng.permutation(np.concatenate([validation, test]))
    known = {images[i].tobytes() for i in hidden}
    train = np.array([i for i in train if images[i].tobytes() not in known])

    np.savez_compressed(public / "train.npz", image=images[train], label=labels[train])
    np.savez_compressed(public / "test.npz", id=np.arange(len(hidden)), image=images[hidden])
    write(public / "sample_submission.csv", [(i, 0) for i in range(len(hidden))])
    for name, part in (("validation", set(validation.tolist())), ("test", set(test.tolist()))):
        rows = [(i, int(labels[item])) for i, item in enumerate(hidden) if int(item) in part]
        write(private / f"{name}.csv", rows)


def read_items(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [N, 28, 28] and labels [N], uint8, of an atlas that is sorted by class."""
    atlas = np.asarray(Image.open(path))
    rows, columns = atlas.shape[0] // SIDE, atlas.shape[1] // SIDE
    images = atlas.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
    return images, (np.arange(len(images)) // EACH).astype(np.uint8)


def read_full(folder: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """All pictures and labels, those published for training first, and how many those are."""
    train, test = read_rows(folder / "train.jsonl.gz"), read_rows(folder / "test.jsonl.gz")
    images = np.stack([image for image, _ in [*train, *test]])
    return images, np.array([label for _, label in [*train, *test]], np.uint8), len(train)


def read_rows(path: Path) -> list[tuple[np.ndarray, int]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [(decoded(row["image"]), row["label"]) for row in rows]


def decoded(text: str) -> np.ndarray:
    """A picture [28, 28], uint8, from the base64 of its file."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("L"))


def write(path: Path, rows: list[tuple[int, int]]) -> None:
    lines = ["id,label", *(f"{name},{label}" for name, label in rows)]
    path.write_text("\n".join(lines) + "\n")
