"""Trees as sequences of shoots, with everything that a network is told of them, as tensors.

A tree is walked in depth-first order. A shoot is told by how many levels one climbs from the node
before to its parent (`climb`), by its length, and by its turn from the direction of its parent.
"""

from dataclasses import dataclass

import numpy as np
import torch

MOST = 48
LEVELS = 20
STOP = LEVELS
"""Climbs are classes 0 to LEVELS - 1; this one ends a tree."""
SEEN = 8  # what is told of a node


@dataclass(frozen=True)
class Batch:
    """B trees. The last axis of `seen` [B, M, SEEN] is what a network sees of a node.

    `climbs` [B, M] is what leads to the next node after each; `shoots` [B, M, 2] holds log-length
    and turn of each node; `ancestry` [B, M, M] is 1 where the second node is the first or above
    it, the root apart; `real` [B, M] tells nodes from padding.
    """

    seen: torch.Tensor
    parents: torch.Tensor
    rank: torch.Tensor
    climbs: torch.Tensor
    shoots: torch.Tensor
    ancestry: torch.Tensor
    real: torch.Tensor

    def __getitem__(self, rows):
        return Batch(**{name: value[rows] for name, value in vars(self).items()})

    def __len__(self):
        return len(self.seen)

    def trimmed(self):
        """Without the places that no tree of the batch needs."""
        most = int(self.real.sum(1).max())
        parts = {name: value[:, :most] for name, value in vars(self).items()}
        return Batch(**{**parts, "ancestry": parts["ancestry"][:, :, :most]})


def read(nodes, parents, counts):
    """Arrays of a file as a batch of all its trees."""
    size = len(nodes)
    real = np.arange(MOST) < counts[:, None]
    above = np.where(real, np.maximum(parents, 0), 0).astype(np.int64)
    rows = np.arange(size)
    depths, rank = np.zeros((size, MOST), int), np.zeros((size, MOST), int)
    children = np.zeros((size, MOST), int)
    ancestry = np.zeros((size, MOST, MOST), bool)
    for node in range(1, MOST):  # a node comes after its parent
        parent = above[:, node]
        depths[:, node] = depths[rows, parent] + 1
        rank[:, node] = children[rows, parent]
        children[rows, parent] += real[:, node]
        ancestry[:, node] = ancestry[rows, parent]
        ancestry[:, node, node] = True
    offsets = nodes - np.take_along_axis(nodes, above[:, :, None], axis=1)
    lengths = np.maximum(np.linalg.norm(offsets, axis=2), 1e-3)
    headings = np.arctan2(offsets[:, :, 0], offsets[:, :, 1])
    headings[:, 0] = 0
    turns = headings - np.take_along_axis(headings, above, axis=1)
    turns = (turns + np.pi) % (2 * np.pi) - np.pi
    climbs = np.full((size, MOST), STOP)
    climbs[:, :-1] = depths[:, :-1] - np.take_along_axis(depths, above, axis=1)[:, 1:]
    climbs = np.where(np.arange(MOST) < counts[:, None] - 1, climbs, STOP)
    shoots = np.stack([np.log(lengths), turns], axis=2)
    before = np.take_along_axis(headings, above, axis=1)
    shown = seen(nodes, headings, before, lengths, depths)
    as_float = {"seen": shown, "shoots": shoots, "ancestry": ancestry}
    as_is = {"parents": above, "rank": rank, "climbs": np.clip(climbs, 0, STOP), "real": real}
    return Batch(
        **{name: torch.tensor(value, dtype=torch.float32) for name, value in as_float.items()},
        **{name: torch.tensor(value) for name, value in as_is.items()},
    )


def batches(trees, size, rng):
    """Batches without end in which trees are of similar sizes: little is spent on padding."""
    while True:
        order = rng.permutation(len(trees))
        counts = trees.real.sum(1).numpy()
        for start in range(0, len(order) - 8 * size + 1, 8 * size):
            chosen = order[start : start + 8 * size]
            by_size = chosen[np.argsort(counts[chosen], kind="stable")].reshape(8, size)
            for rows in rng.permutation(by_size):
                yield trees[torch.tensor(rows)].trimmed()


def seen(nodes, headings, before, lengths, depths):
    """What a network sees of nodes: place, direction, that of the parent, length, depth."""
    columns = [2 * nodes[..., 0], 2 * nodes[..., 1] - 1, np.sin(headings), np.cos(headings)]
    columns += [np.sin(before), np.cos(before), 8 * lengths, depths / 6 - 1]
    return np.stack(columns, axis=-1)


def mirrored(nodes, parents, counts):
    """The same trees seen from behind, in depth-first order again."""
    nodes, parents = nodes * np.float32([-1, 1]), parents.copy()
    for tree, count in enumerate(counts):
        children = [[] for _ in range(count)]
        for node in range(1, count):
            children[parents[tree, node]].append(node)
        order, above, waiting = [], [], [(0, -1)]
        while waiting:
            node, parent = waiting.pop()
            above.append(parent)
            order.append(node)
            waiting += [(child, len(order) - 1) for child in children[node]]  # the last one first
        nodes[tree, :count] = nodes[tree, order]
        parents[tree, :count] = above
    return nodes, parents, counts
