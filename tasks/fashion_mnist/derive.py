"""Derives items.png, the part of Fashion-MNIST that `mini` is made of, once and by hand.

    python derive.py FOLDER

FOLDER holds the published files, as Debian's package `dataset-fashion-mnist` lays them out under
/usr/share/datasets/fashion-mnist. 800 items of each class are drawn from the published training
items. None of the 8,000 is a twin of another: neither the same picture, nor nearly so, nor its
mirror image, so that any split of them is fair. items.png shows them in rows of 100, class by
class: the place of an item is its label.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES, EACH, SIDE, PER_ROW = 10, 800, 28, 100
TWINS = 500.0
"""Euclidean distance of two items in grey levels below which they are twins.

Two different items lie about 1,000 from their nearest neighbour; looked at by eye, pairs below 500
are the same photograph, scaled or lit a little differently, or plain trousers without any detail.
"""


def main() -> None:
    folder = Path(sys.argv[1])
    images, labels = read(folder, "train")
    order = np.random.default_rng(0).permutation(len(images))
    chosen = np.zeros((0, SIDE, SIDE), np.uint8)
    counts = np.zeros(CLASSES, int)
    picked: list[int] = []
    for block in np.array_split(order, 200):
        fresh = [i for i in without_twins(images, block, chosen) if counts[labels[i]] < EACH]
        for i in fresh:
            if counts[labels[i]] < EACH:
                counts[labels[i]] += 1
                picked.append(i)
        chosen = images[picked]
        if counts.min() == EACH:
            break
    picked.sort(key=lambda i: int(labels[i]))
    atlas = images[picked].reshape(-1, PER_ROW, SIDE, SIDE).transpose(0, 2, 1, 3)
    atlas = atlas.reshape(-1, PER_ROW * SIDE)
    Image.fromarray(atlas).save(Path(__file__).parent / "items.png", optimize=True)


def read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [N, 28, 28] and labels [N] of a published part, both uint8."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, SIDE, SIDE),
        np.frombuffer(labels, np.uint8, offset=8),
    )


def without_twins(images: np.ndarray, block: np.ndarray, chosen: np.ndarray) -> list[int]:
    """Those of `block` that have no twin among the chosen, nor among those of `block` before."""
    new = images[block]
    known = np.concatenate([chosen, new])
    near = distances(new, known) < TWINS
    near |= distances(new, known[:, :, ::-1]) < TWINS
    kept: list[int] = []
    for place, i in enumerate(block):
        before = near[place, : len(chosen) + place]
        if not before.any():
            kept.append(int(i))
    return kept


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean distances [N, M] between pictures [N, ...] and [M, ...]."""
    a = one.reshape(len(one), -1).astype(np.float32)
    b = other.reshape(len(other), -1).astype(np.float32)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


if __name__ == "__main__":
    main()
