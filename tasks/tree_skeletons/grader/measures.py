"""How far apart two sets of trees are: eight terms, means of normalised Wasserstein distances.

A distance between two samples of numbers is the area between their quantile functions, in units of
a standard deviation that is the same for every submission; so it is symmetric, and 0 for equal
distributions. Between samples of vectors it is the mean over fixed random directions.
"""

from dataclasses import dataclass

import numpy as np
from sketch import blurred

QUANTILES = (np.arange(500) + 0.5) / 500
DIRECTIONS = 128
PIXELS, EXTENT = 20, 1.3  # a picture's side, and how far it sees to each side and up


@dataclass(frozen=True)
class Statistics:
    """What is measured of a set of trees.

    `numbers` holds, by term, lists of samples (one number a node, an edge or a tree); `whole` is
    [N, F], a vector of means for each tree; `pictures` is [N, P].
    """

    numbers: dict[str, list[np.ndarray]]
    whole: np.ndarray
    pictures: np.ndarray


def statistics(trees):
    real, edges, parents = trees.real, trees.edges, trees.parents
    offsets = trees.nodes - np.take_along_axis(trees.nodes, parents[:, :, None], axis=1)
    lengths = np.linalg.norm(offsets, axis=2)
    headings = np.where(edges, np.arctan2(offsets[:, :, 0], offsets[:, :, 1]), 0.0)
    before = np.take_along_axis(headings, parents, axis=1)
    turns = (headings - before + np.pi) % (2 * np.pi) - np.pi
    children = counted(parents, edges)
    siblings = np.take_along_axis(children, parents, axis=1)
    forked, straight = edges & (siblings > 1), edges & (siblings == 1)
    # Positive where a shoot bends towards the ground.
    droop = turns * np.sign(before)
    runs = run_lengths(lengths, parents, straight, edges)
    ends = edges & (children != 1)
    box = [reach(trees, axis, way) for axis in (0, 1) for way in (np.min, np.max)]
    width, height = box[1] - box[0], box[3] - box[2]
    tips = (edges & (children == 0)).sum(axis=1)
    numbers = {
        "length": [lengths[edges], runs[ends]],
        "angle": [np.abs(turns)[forked]],
        "depth": [trees.depths[real], trees.depths.max(axis=1, where=real, initial=0)],
        "children": [children[real], tips],
        "curvature": [droop[straight]],
        "shape": [width, height, box[0] + box[1], lengths.sum(axis=1, where=edges)],
    }
    whole = [real.sum(axis=1), tips, numbers["depth"][1], *numbers["shape"]]
    whole += [mean(lengths, edges), mean(np.abs(turns), forked), mean(droop, straight)]
    whole += [mean(trees.depths, real), mean(children > 1, real), mean(runs, ends)]
    whole += [deviation(lengths, edges), deviation(turns, edges), mean(np.abs(headings), edges)]
    frame = trees.nodes / EXTENT
    frame = np.stack([(frame[:, :, 0] + 1) / 2, frame[:, :, 1]], axis=2)
    pictures = blurred(frame, parents, edges, PIXELS, 0.8)
    return Statistics(numbers, np.stack(whole, axis=1), pictures)


def distances(one, other, norms):
    """The terms by name. `norms` are the statistics of the trees whose deviations are the units."""
    found = {}
    for name, units in norms.numbers.items():
        samples = zip(one.numbers[name], other.numbers[name], units, strict=True)
        found[name] = float(np.mean([apart(*three) for three in samples]))
    scale = norms.whole.std(axis=0)
    found["together"] = sliced(one.whole / scale, other.whole / scale, norms.whole / scale)
    found["picture"] = sliced(one.pictures, other.pictures, norms.pictures)
    return found


def apart(one, other, norm):
    """The Wasserstein distance of two samples of numbers, in standard deviations of `norm`."""
    if not len(one) or not len(other):
        return 2.0  # no tree of the set has such a thing at all
    gap = np.quantile(one, QUANTILES) - np.quantile(other, QUANTILES)
    return np.abs(gap).mean() / norm.std()


def sliced(one, other, norm):
    """The same for vectors [N, F], over random directions that never change."""
    ways = np.random.default_rng(0).normal(size=(one.shape[1], DIRECTIONS))
    ways /= np.linalg.norm(ways, axis=0)
    projected = zip((one @ ways).T, (other @ ways).T, (norm @ ways).T, strict=True)
    return float(np.mean([apart(*three) for three in projected]))


def counted(parents, edges):
    """How many children each node has, [N, M]."""
    children = np.zeros(parents.shape, np.int64)
    tree, node = np.nonzero(edges)
    np.add.at(children, (tree, parents[tree, node]), 1)
    return children


def run_lengths(lengths, parents, straight, edges):
    """At each node, how long the unforked run is that ends there, [N, M]."""
    runs = np.where(edges, lengths, 0.0)
    above = np.where(straight, parents, -1)
    while (above >= 0).any():
        further = np.maximum(above, 0)
        runs += np.where(above >= 0, np.take_along_axis(lengths, further, axis=1), 0.0)
        goes_on = np.take_along_axis(straight, further, axis=1) & (above >= 0)
        above = np.where(goes_on, np.take_along_axis(parents, further, axis=1), -1)
    return runs


def reach(trees, axis, way):
    worst = np.inf if way is np.min else -np.inf
    return way(trees.nodes[:, :, axis], axis=1, where=trees.real, initial=worst)


def mean(values, where):
    """The mean over a tree's places, 0 where there are none, [N]."""
    return values.sum(axis=1, where=where) / np.maximum(where.sum(axis=1), 1)


def deviation(values, where):
    middle = mean(values, where)[:, None]
    return np.sqrt(mean((values - middle) ** 2, where))
