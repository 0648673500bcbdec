"""Tells each picture by the first caption of the training picture most like it."""

import csv
from pathlib import Path

import numpy as np

train, test = np.load("data/train.npz"), np.load("data/test.npz")
with Path("data/train.csv").open(newline="", encoding="utf-8") as stream:
    captions = {}
    for row in csv.DictReader(stream):
        captions.setdefault(int(row["id"]), []).append(row["caption"])


def small(images, side=12):
    """Pictures [N, H, W, 3] averaged down to vectors [N, side * side * 3]."""
    pieces = images.shape[1] // side
    kept = images[:, : side * pieces, : side * pieces].reshape(-1, side, pieces, side, pieces, 3)
    return kept.mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)


known, asked = small(train["images"]), small(test["images"])
nearest = []
for start in range(0, len(asked), 200):
    rows = asked[start : start + 200]
    apart = (known**2).sum(axis=1) - 2 * rows @ known.T
    nearest += apart.argmin(axis=1).tolist()

with Path("submission.csv").open("w", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["id", "caption"])
    for name, row in zip(test["id"], nearest, strict=True):
        writer.writerow([name, captions[int(train["id"][row])][0]])
print(f"wrote {len(nearest)} captions to submission.csv")
