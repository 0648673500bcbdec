"""Scores generated tree skeletons: how far they are from real ones, and how many are new."""

import numpy as np
from measures import distances, statistics
from novelty import copied
from reading import checked, read_samples

FREE = 0.09
"""The share of copies and repeats that costs nothing: trees that were grown meet by chance too."""
PRICE = 3.0


def grade(submission, answers, split, rng):
    """`distance`, and what it is made of: `unlikeness`, `copies`, `repeats`, and the terms."""
    hidden = {part: read_arrays(answers / f"{part}.npz") for part in ("validation", "test")}
    norms = {
        name: np.concatenate([part[name] for part in hidden.values()]) for name in hidden[split]
    }
    real = checked(**hidden[split])
    samples = read_samples(submission / "samples.npz", len(real))
    known = checked(**read_arrays(answers / "known.npz"))
    units = statistics(checked(**norms))
    terms = distances(statistics(samples), statistics(real), units)
    copies, repeats = copied(samples, known)
    unlikeness = float(np.mean(list(terms.values())))
    price = PRICE * max(0.0, float(np.mean(copies | repeats)) - FREE)
    return {
        "distance": unlikeness + price,
        "unlikeness": unlikeness,
        "copies": float(copies.mean()),
        "repeats": float(repeats.mean()),
        **terms,
    }


def read_arrays(path):
    with np.load(path) as file:
        return {name: file[name].astype(kind) for name, kind in KINDS.items()}


KINDS = {"nodes": np.float64, "parents": np.int64, "counts": np.int64}
