"""Prepares small colour pictures: for training with labels, and others whose labels are hidden.

`mini` composes 12,000 pictures of 8,000 items of clothing (see compose.py and derive.py): 10,000
for training out of 6,000 items and the left parts of the photographs, one hidden picture of each of
the other 2,000 before the right parts. No item and no piece of a photograph is on both sides.

`full` is CIFAR-10: its 10,000 test pictures are the hidden test, 5,000 of its 50,000 training
pictures the hidden validation. Another data seed draws the hidden test of `full` from the training
pictures too: what is comparable stays out of it.

`test.npz` mixes both hidden parts, so that no submission can tell which of its rows is graded when.
"""

import base64
import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from compose import compose
from PIL import Image

HERE = Path(__file__).parent
ITEM, EACH = 28, 800
PHOTO = (400, 256)
LEFT, RIGHT = (0, 240), (320, 400)  # columns of a photograph, for training and for hidden pictures
CLASSES = {
    "mini": "top trousers pullover dress coat sandal shirt sneaker bag boot",
    "full": "airplane automobile bird cat deer dog frog horse ship truck",
}


@dataclass(frozen=True)
class Pictures:
    """Pictures [N, 32, 32, 3] and labels [N], both uint8; and the rows of each part."""

    images: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    rng = np.random.default_rng([data_seed, 32])
    if profile == "mini":
        made = composed(rng)
    else:
        made = published(Path(os.environ["MLGYM_SOURCES"]) / "uoft-cs__cifar10", data_seed, rng)

    hidden = rng.permutation(np.concatenate([made.validation, made.test]))
    known = {made.images[i].tobytes() for i in hidden}
    train = np.array([i for i in made.train if made.images[i].tobytes() not in known])

    images, labels = made.images, made.labels
    np.savez_compressed(public / "train.npz", image=images[train], label=labels[train])
    np.savez_compressed(public / "test.npz", id=np.arange(len(hidden)), image=images[hidden])
    (public / "classes.txt").write_text("\n".join(CLASSES[profile].split()) + "\n")
    write(public / "sample_submission.csv", [(i, 0) for i in range(len(hidden))])
    for name, part in (("validation", made.validation), ("test", made.test)):
        inside = set(part.tolist())
        rows = [(i, int(labels[row])) for i, row in enumerate(hidden) if int(row) in inside]
        write(private / f"{name}.csv", rows)


def composed(rng: np.random.Generator) -> Pictures:
    items, classes = read_items(HERE / "items.png")
    left, right = (list(read_photos(HERE / "photos.jpg", columns)) for columns in (LEFT, RIGHT))
    hidden, seen = np.split(rng.permutation(len(items)), [2000])
    again = rng.permutation(seen)[:4000]
    used = np.concatenate([seen, again, hidden])
    images = np.stack(
        [compose(items[i], left, rng) for i in (*seen, *again)]
        + [compose(items[i], right, rng) for i in hidden]
    )
    order = rng.permutation(10000)
    return Pictures(images, classes[used], order, np.arange(10000, 11000), np.arange(11000, 12000))


def published(folder: Path, data_seed: int, rng: np.random.Generator) -> Pictures:
    rows, shown = read_rows(folder / "train.jsonl.gz"), read_rows(folder / "test.jsonl.gz")
    images = np.stack([image for image, _ in [*rows, *shown]])
    labels = np.array([label for _, label in [*rows, *shown]], np.uint8)
    drawn = rng.permutation(len(rows))
    test = np.arange(len(rows), len(images)) if data_seed == 0 else drawn[-len(shown) :]
    rest = np.setdiff1d(drawn, test, assume_unique=True)
    validation, train = np.split(rest, [len(rows) // 10])
    return Pictures(images, labels, train, validation, test)


def read_items(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Items [N, 28, 28] and labels [N], uint8, of an atlas that is sorted by class."""
    atlas = np.asarray(Image.open(path))
    rows, columns = atlas.shape[0] // ITEM, atlas.shape[1] // ITEM
    items = atlas.reshape(rows, ITEM, columns, ITEM).swapaxes(1, 2).reshape(-1, ITEM, ITEM)
    return items, (np.arange(len(items)) // EACH).astype(np.uint8)


def read_photos(path: Path, columns: tuple[int, int]) -> Iterator[Image.Image]:
    """The same columns of each photograph of the stack."""
    stack = Image.open(path).convert("RGB")
    for top in range(0, stack.height, PHOTO[1]):
        yield stack.crop((columns[0], top, columns[1], top + PHOTO[1]))


def read_rows(path: Path) -> list[tuple[np.ndarray, int]]:
    """Pictures [32, 32, 3], uint8, with their labels."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [(decoded(row["img"]), row["label"]) for row in map(json.loads, lines)]


def decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def write(path: Path, rows: list[tuple[int, int]]) -> None:
    lines = ["id,label", *(f"{name},{label}" for name, label in rows)]
    path.write_text("\n".join(lines) + "\n")
