"""Grows trees shoot by shoot: each is drawn from training shoots at its depth in the tree.

What a shoot is like depends on its depth and on how many siblings it has, and on nothing else.
"""

import os
from collections import defaultdict

import numpy as np

MOST, FEWEST = 48, 10

rng = np.random.default_rng(int(os.environ.get("SEED", "0")))
train = np.load("data/train.npz")
wanted = len(np.load("data/sample_submission.npz")["counts"])


def read(nodes, parents):
    """How a tree grew: (depth, siblings) and (length, turn, children) of each node but the root."""
    children = np.bincount(parents[1:], minlength=len(nodes))
    depths, headings = np.zeros(len(nodes), int), np.zeros(len(nodes))
    for node in range(1, len(nodes)):  # a node comes after its parent
        parent = parents[node]
        dx, dy = nodes[node] - nodes[parent]
        depths[node] = depths[parent] + 1
        headings[node] = np.arctan2(dx, dy)  # 0 is up
        turn = headings[node] - headings[parent]
        yield (depths[node], children[parent]), (np.hypot(dx, dy), turn, children[node])


def grow(shoots, stems):
    """A new tree as points and parents; it may turn out too large or too small."""
    points, parents = [(0.0, 0.0)], [-1]
    siblings = stems[rng.integers(len(stems))]
    waiting = [(0, 1, siblings, 0.0)] * siblings
    while waiting and len(points) <= MOST:
        parent, depth, siblings, heading = waiting.pop(0)
        known = shoots[depth, siblings]
        length, turn, children = known[rng.integers(len(known))]
        heading += turn
        x, y = points[parent]
        points.append((x + length * np.sin(heading), y + length * np.cos(heading)))
        parents.append(parent)
        if (depth + 1, children) in shoots:
            waiting += [(len(points) - 1, depth + 1, children, heading)] * children
    return points, parents


shoots, stems = defaultdict(list), []
trees = zip(train["nodes"].astype(float), train["parents"], train["counts"], strict=True)
for nodes, parents, count in trees:
    stems.append((parents[:count] == 0).sum())
    for place, shoot in read(nodes[:count], parents[:count]):
        shoots[place].append(shoot)

nodes = np.zeros((wanted, MOST, 2), np.float32)
parents = np.full((wanted, MOST), -1, np.int16)
counts = np.zeros(wanted, np.int16)
tree = 0
while tree < wanted:
    points, above = grow(shoots, stems)
    if FEWEST <= len(points) <= MOST:
        counts[tree] = len(points)
        nodes[tree, : len(points)] = points
        parents[tree, : len(points)] = above
        tree += 1
np.savez_compressed("samples.npz", nodes=nodes, parents=parents, counts=counts)
print(f"wrote {wanted} trees to samples.npz")
