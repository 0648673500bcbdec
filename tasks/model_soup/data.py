"""Lays out checkpoints, their accuracies, and images to try soups on; hides images to grade with.

Everything follows from the committed `pool/`, which `pool/derive.py` made: nothing is trained here.
`full` takes the whole pool; `mini` draws the base, two experts of each pair of categories, two
careless checkpoints and two strangers, others for each data seed. Names tell nothing.

Of 4,000 items 1,200 are public, 1,000 hidden for validation and 1,800 for the test. Each item is
seen in all six categories. The checkpoints were trained on none of them.
"""

import json
from pathlib import Path

import numpy as np
from categories import NAMES, render

POOL = Path(__file__).resolve().parent / "pool"
PUBLIC, VALIDATION = 1_200, 1_000
OF_A_KIND = 2


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    rng = np.random.default_rng([data_seed, 20])
    with np.load(POOL / "checkpoints.npz") as file:
        pool = dict(file)
    chosen = rng.permutation(choose(pool.pop("kinds"), profile, rng))
    names = [f"model_{number:02}" for number in range(1, len(chosen) + 1)]
    layers = {name: stacked[chosen] for name, stacked in pool.items()}

    np.savez_compressed(public / "checkpoints.npz", names=np.array(names), **layers)
    write_accuracies(public / "accuracies.csv", names, chosen)
    sample = {name: 1 / len(names) for name in names}
    (public / "sample_submission.json").write_text(json.dumps(sample, indent=1) + "\n")

    # The grader's copy: one row of numbers a checkpoint.
    flat = [stacked.reshape(len(names), -1) for stacked in layers.values()]
    np.save(private / "parameters.npy", np.concatenate(flat, axis=1).astype(np.float32))
    (private / "names.txt").write_text("\n".join(names) + "\n")

    with np.load(POOL / "items.npz") as file:
        images, labels = file["images"], file["labels"]
    parts = np.split(rng.permutation(len(images)), [PUBLIC, PUBLIC + VALIDATION])
    for path, part in zip(
        (public / "examples.npz", private / "validation.npz", private / "test.npz"),
        parts,
        strict=True,
    ):
        write_images(path, images[part], labels[part], rng)


def choose(kinds, profile, rng):
    """Numbers of checkpoints of the pool."""
    if profile == "full":
        return np.arange(len(kinds))
    drawn = [
        rng.permutation(np.flatnonzero(kinds == kind))[:OF_A_KIND] for kind in np.unique(kinds)
    ]
    return np.concatenate(drawn)


def write_accuracies(path, names, chosen):
    header, *lines = (POOL / "accuracies.csv").read_text().splitlines()
    rows = [f"{name},{lines[number]}" for name, number in zip(names, chosen, strict=True)]
    path.write_text("\n".join([f"name,{header}", *rows]) + "\n")


def write_images(path, images, labels, rng):
    """Each image in each category, in no order."""
    order = rng.permutation(len(images) * len(NAMES))
    item, category = order // len(NAMES), order % len(NAMES)
    np.savez_compressed(
        path,
        images=render(images[item], category, rng),
        labels=labels[item],
        categories=np.array(NAMES)[category],
    )
