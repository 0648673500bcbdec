"""Tells trees that were grown from trees that were copied.

Trees are compared as small pictures, three times: scaled to one size; stretched and turned to one
shape, so that nothing affine makes another tree of a copy; and drawn anew from their forks alone,
so that no bending of its shoots does. Which node is called what does not matter.

A tree is a *copy* of a training tree if it is less than `near` times as far from it as that is from
the nearest other training tree; it is a *repeat* of a tree that was handed in before it if it is
that near to that one. One of the comparisons is enough.
"""

from dataclasses import replace

import numpy as np
from sketch import blurred

SIDE, BLUR = 24, 0.7
ROWS = 500  # rows of a table of distances that are held at once


def copied(trees, known):
    """Which of the trees are copies of `known` ones, and which are repeats: two arrays of bool."""
    copies, repeats = np.zeros((2, len(trees)), bool)
    for view, near, common in VIEWS:
        mine, theirs = portraits(trees, view), portraits(known, view)
        nearest, distance = neighbours(mine, theirs)
        # How far the known tree that is meant lies from other known ones.
        met, place = np.unique(nearest, return_inverse=True)
        spacing = neighbours(theirs[met], theirs, without=met)[1][place]
        limit = np.where(spacing > common, near * spacing, 0.0)
        copies |= distance < limit
        repeats |= neighbours(mine, mine, before=True)[1] < limit
    return copies, repeats & ~copies


def portraits(trees, view):
    """A vector for each tree, of length 1, [N, SIDE * SIDE]."""
    drawn = blurred(view(trees), trees.parents, trees.edges, SIDE, BLUR)
    return np.sqrt(drawn).astype(np.float32)


def sized(trees):
    """Nodes in the unit square, [N, M, 2]: the root at the foot, their mean square distance 1."""
    squares = (trees.nodes**2).sum(axis=(1, 2))  # what is no node lies on the root
    size = np.sqrt(squares / trees.real.sum(axis=1))
    return trees.nodes / np.maximum(size, 1e-6)[:, None, None] / [4, 3] + [0.5, 0.2]


def shaped(trees):
    """Nodes in the unit square: their covariance is the same for all, the root straight below."""
    real = trees.real[:, :, None]
    count = real.sum(axis=1, keepdims=True)
    centred = trees.nodes - trees.nodes.sum(axis=1, keepdims=True) / count
    nodes = np.where(real, centred, 0.0)
    covariance = np.einsum("nmi,nmj->nij", nodes, nodes) / count + 1e-9 * np.eye(2)
    nodes = np.einsum("nij,nmj->nmi", np.linalg.inv(np.linalg.cholesky(covariance)), nodes)
    root = nodes[np.arange(len(nodes)), (trees.real & ~trees.edges).argmax(axis=1)]
    x, y = (root / np.maximum(np.linalg.norm(root, axis=1), 1e-9)[:, None]).T
    turn = np.array([[-y, x], [-x, -y]])
    return np.einsum("ijn,nmj->nmi", turn, nodes) / 6 + 0.5


def forked(trees):
    """Nodes of the same trees with edges of length 1 and siblings evenly fanned, as `sized`."""
    offsets = trees.nodes - np.take_along_axis(trees.nodes, trees.parents[:, :, None], axis=1)
    headings = np.where(trees.edges, np.arctan2(offsets[:, :, 0], offsets[:, :, 1]), 0.0)
    turns = headings - np.take_along_axis(headings, trees.parents, axis=1)
    ranks, siblings = ranked((turns + np.pi) % (2 * np.pi) - np.pi, trees)
    fans = np.where(siblings > 1, ranks / np.maximum(siblings - 1, 1) - 0.5, 0.0)
    headings, nodes = np.zeros(fans.shape), np.zeros(trees.nodes.shape)
    for depth in range(1, int(trees.depths.max()) + 1):
        tree, node = np.nonzero(trees.edges & (trees.depths == depth))
        parent = trees.parents[tree, node]
        headings[tree, node] = turned = headings[tree, parent] + fans[tree, node]
        steps = np.stack([np.sin(turned), np.cos(turned)], axis=1)
        nodes[tree, node] = nodes[tree, parent] + steps
    return sized(replace(trees, nodes=nodes))


def ranked(turns, trees):
    """At each node, how many of its siblings turn less, and how many there are with it, [N, M]."""
    ranks, siblings = np.zeros((2, *turns.shape), np.int64)
    for start in range(0, len(turns), ROWS):
        rows = slice(start, start + ROWS)
        parents, edges = trees.parents[rows], trees.edges[rows]
        family = (parents[:, :, None] == parents[:, None]) & edges[:, :, None] & edges[:, None]
        less = turns[rows, None] < turns[rows, :, None]
        ranks[rows], siblings[rows] = (family & less).sum(axis=2), family.sum(axis=2)
    return ranks, siblings


VIEWS = ((sized, 0.6, 0.0), (shaped, 0.6, 0.0), (forked, 0.8, 0.1))
"""Each way to look, its `near`, and how near to each other known trees are too common to copy.

Many firs fork alike: to fork as they do is no copy.
"""


def neighbours(mine, theirs, without=None, before=False):
    """For each row of `mine` the nearest of `theirs`, mirrored or not, and how far it is.

    `without` names for each row one that does not count; with `before` only earlier rows do.
    """
    mirrored = mine.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(len(mine), -1)
    nearest, distance = np.zeros(len(mine), np.int64), np.zeros(len(mine))
    for start in range(0, len(mine), ROWS):
        rows = slice(start, min(start + ROWS, len(mine)))
        alike = np.maximum(mine[rows] @ theirs.T, mirrored[rows] @ theirs.T)
        if without is not None:
            alike[np.arange(len(alike)), without[rows]] = -1
        if before:
            alike[np.arange(len(theirs)) >= np.arange(len(mine))[rows, None]] = -1
        nearest[rows] = alike.argmax(axis=1)
        distance[rows] = np.sqrt(np.maximum(0, 2 - 2 * alike.max(axis=1)))
    return nearest, distance
