"""Grows two-dimensional tree skeletons of seven species, and sets some apart as hidden ones.

Each species is a small growth rule (L-system like recursion, or space colonisation) whose
parameters are drawn anew for each tree. A skeleton is a rooted tree of at most 48 nodes: the root
is at (0, 0), y points up, nodes are in depth-first order, children from left to right.

Public: trees to learn from, and a valid submission. Private: two sets of other trees, and what the
test of novelty needs (see `grader/novelty.py`, which is the only judge of what a copy is).
"""

import math
from pathlib import Path

import numpy as np

MOST = 48  # nodes of a tree
FEWEST = 10
SIZES = {"mini": (4000, 1000), "full": (16000, 2000)}  # trees to learn from, trees of a hidden part


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    train, hidden = SIZES[profile]
    rng = np.random.default_rng([data_seed, train])
    seen: set[bytes] = set()
    known = forest(rng, train, seen)
    save(public / "train.npz", known)
    save(private / "validation.npz", forest(rng, hidden, seen))
    save(private / "test.npz", forest(rng, hidden, seen))
    save(public / "sample_submission.npz", pack([sticks(rng) for _ in range(hidden)]))
    save(private / "known.npz", compact(known, rng.permutation(train)))


def forest(rng, size, seen):
    """`size` trees of species drawn at random, none of them in `seen`, to which they are added."""
    species = (fir, oak, willow, birch, palm, shrub, acacia)
    trees = []
    while len(trees) < size:
        points, parents = ordered(*species[rng.integers(len(species))](rng))
        points = points.astype(np.float32)
        if FEWEST <= len(points) <= MOST and points.tobytes() not in seen:
            seen.add(points.tobytes())
            trees.append((points, parents))
    return pack(trees)


def pack(trees):
    """Trees of different sizes as arrays, with zeros and -1 behind the last node of each."""
    nodes = np.zeros((len(trees), MOST, 2), np.float32)
    parents = np.full((len(trees), MOST), -1, np.int16)
    counts = np.array([len(points) for points, _ in trees], np.int16)
    for row, (points, above) in enumerate(trees):
        nodes[row, : len(points)] = points
        parents[row, : len(points)] = above
    return {"nodes": nodes, "parents": parents, "counts": counts}


def compact(arrays, order):
    """The same trees in this order, as finely as a test of novelty needs them."""
    kinds = {"nodes": np.float16, "parents": np.int8, "counts": np.int8}
    return {name: arrays[name][order].astype(kind) for name, kind in kinds.items()}


def save(path, arrays):
    np.savez_compressed(path, **arrays)


def ordered(points, parents):
    """The same tree in depth-first order, children from left to right around their parent."""
    points = np.array(points)
    children = [[] for _ in parents]
    for node, parent in enumerate(parents[1:], start=1):
        children[parent].append(node)
    order, above, waiting = [], [], [(0, -1)]
    while waiting:
        node, parent = waiting.pop()
        order.append(node)
        above.append(parent)

        def turn(child, node=node):
            dx, dy = points[child] - points[node]
            return math.atan2(dx, dy)

        rightmost_first = sorted(children[node], key=turn, reverse=True)
        waiting += [(child, len(order) - 1) for child in rightmost_first]
    return points[order], np.array(above)


# Growth. A tree in growth is a pair of lists: points, and the parent of each. Headings are in
# radians, 0 is up and positive is to the right.


def seedling():
    return [(0.0, 0.0)], [-1]


def run(tree, base, heading, lengths, rng, bend=0.0, wobble=0.0):
    """Grows one segment after the other from the node `base`; the last node and its heading."""
    points, parents = tree
    for length in lengths:
        heading += bend + rng.normal(0, wobble)
        x, y = points[base]
        points.append((x + length * math.sin(heading), y + length * math.cos(heading)))
        parents.append(base)
        base = len(points) - 1
    return base, heading


def fir(rng):
    """A straight leader with whorls of side shoots that shorten towards the top."""
    tree = seedling()
    storeys = rng.integers(5, 10)
    step = rng.uniform(0.07, 0.11)
    longest, spread = rng.uniform(0.2, 0.4), rng.uniform(1.1, 1.9)
    node, heading = run(tree, 0, rng.normal(0, 0.04), [step * rng.uniform(1, 2)], rng)
    for storey in range(storeys):
        reach = longest * (1 - storey / storeys) * rng.uniform(0.85, 1.15)
        for side in (-1, 1):
            pieces = [reach] if reach < 0.12 else [reach / 2, reach / 2]
            run(tree, node, side * spread + heading, pieces, rng, side * rng.normal(0.1, 0.05))
        node, heading = run(tree, node, heading * 0.7, [step], rng, wobble=0.03)
    return tree


def birch(rng):
    """Forks again and again, each shoot a fixed ratio shorter than the one before."""
    tree = seedling()
    angle, ratio = rng.uniform(0.25, 0.6), rng.uniform(0.68, 0.82)
    lopsided, noise = rng.normal(0, 0.12), rng.uniform(0.02, 0.1)

    def fork(base, heading, length, level):
        node, heading = run(tree, base, heading, [length], rng, wobble=noise)
        if level:
            for side in (-1, 1):
                if level > 2 or rng.random() < 0.9:
                    turned = heading + side * angle + lopsided
                    fork(node, turned, length * ratio * rng.uniform(0.9, 1.1), level - 1)

    fork(0, 0.0, rng.uniform(0.2, 0.3), rng.choice([3, 4], p=[0.3, 0.7]))
    return tree


def palm(rng):
    """A bare, bowed stem with a tuft of arching fronds."""
    tree = seedling()
    joints, lean = rng.integers(4, 9), rng.normal(0, 0.25)
    bow = -lean / joints * rng.uniform(0.5, 2)
    crown, heading = run(tree, 0, lean, [rng.uniform(0.09, 0.13)] * joints, rng, bow, 0.02)
    fronds, pieces = rng.integers(4, 9), rng.integers(3, 5)
    length, droop = rng.uniform(0.07, 0.13), rng.uniform(0.2, 0.5)
    for angle in np.linspace(-1.3, 1.3, fronds) * rng.uniform(0.7, 1.1):
        start = heading + angle + rng.normal(0, 0.07)
        run(tree, crown, start, [length] * pieces, rng, math.copysign(droop, start), 0.05)
    return tree


def willow(rng):
    """Limbs rise from a short stem, arch over and hang."""
    tree = seedling()
    stem, heading = run(tree, 0, rng.normal(0, 0.1), [rng.uniform(0.12, 0.22)] * 2, rng, 0, 0.05)
    limbs, length, droop = rng.integers(3, 6), rng.uniform(0.08, 0.12), rng.uniform(0.28, 0.42)
    for angle in np.linspace(-0.7, 0.7, limbs) + rng.normal(0, 0.1, limbs):
        side = 1 if angle >= 0 else -1
        node, turned = run(tree, stem, heading + angle, [length] * 2, rng, side * 0.1, 0.05)
        for _ in range(rng.integers(3, 6)):
            # What hangs comes to rest pointing down.
            bend = side * min(droop, max(0.0, math.pi - abs(turned)))
            node, turned = run(tree, node, turned, [length * 0.9], rng, bend, 0.04)
            if rng.random() < 0.3:
                run(tree, node, side * math.pi, [length * rng.uniform(0.5, 1)], rng, 0, 0.1)
    return tree


def shrub(rng):
    """Several zigzag stems out of the ground, with a twig at some of the knees."""
    tree = seedling()
    stems, spread = rng.integers(3, 6), rng.uniform(0.5, 1.1)
    zigzag, length, twigs = rng.uniform(0.3, 0.7), rng.uniform(0.06, 0.1), rng.uniform(0.2, 0.7)
    for angle in np.linspace(-spread, spread, stems) + rng.normal(0, 0.08, stems):
        node, side = 0, rng.choice([-1, 1])
        for _ in range(rng.integers(3, 7)):
            grown = length * rng.uniform(0.8, 1.2)
            node, _ = run(tree, node, angle + side * zigzag, [grown], rng, wobble=0.06)
            if rng.random() < twigs:
                run(tree, node, angle - side * 1.2, [length * 0.6], rng, wobble=0.15)
            side = -side
            angle *= 0.95
    return tree


def acacia(rng):
    """A tall stem that splits into limbs which flatten out into a table."""
    tree = seedling()
    pieces = [rng.uniform(0.12, 0.18)] * rng.integers(2, 5)
    stem, heading = run(tree, 0, rng.normal(0, 0.15), pieces, rng, wobble=0.1)
    limbs, length = rng.integers(2, 4), rng.uniform(0.1, 0.16)
    for angle in np.linspace(-0.8, 0.8, limbs) + rng.normal(0, 0.12, limbs):
        node, turned = run(tree, stem, heading + angle, [length], rng, wobble=0.05)
        for _ in range(rng.integers(2, 4)):
            flat = math.copysign(1.35, turned)
            node, turned = run(tree, node, turned + 0.5 * (flat - turned), [length], rng)
            for _ in range(rng.integers(1, 4)):
                run(tree, node, rng.normal(0, 0.5), [length * rng.uniform(0.3, 0.6)], rng)
    return tree


def oak(rng):
    """Space colonisation: shoots grow towards points of a round crown until none is left."""
    tree = points, parents = seedling()
    step = rng.uniform(0.07, 0.1)
    run(tree, 0, 0.0, [step] * rng.integers(2, 4), rng, wobble=0.08)
    radius, flat = rng.uniform(0.3, 0.42), rng.uniform(0.6, 1.1)
    angles, far = rng.uniform(0, 2 * math.pi, 70), radius * np.sqrt(rng.uniform(0, 1, 70))
    middle = points[-1][1] + 0.8 * radius * flat
    goals = np.stack([far * np.sin(angles), middle + flat * far * np.cos(angles)], axis=1)
    most = rng.integers(32, MOST + 1)
    while len(goals) and len(points) < most:
        nodes = np.array(points)
        apart = goals[:, None] - nodes[None]
        distance = np.linalg.norm(apart, axis=2)
        nearest = distance.argmin(axis=1)
        before = len(points)
        for node in np.unique(nearest):
            pull = apart[nearest == node, node] / distance[nearest == node, node, None]
            way = pull.mean(axis=0) + rng.normal(0, 0.1, 2)
            tip = nodes[node] + step * way / np.linalg.norm(way)
            # Where two goals pull evenly, a shoot would be grown again and again.
            if np.linalg.norm(np.array(points) - tip, axis=1).min() > 0.4 * step:
                points.append(tuple(tip))
                parents.append(int(node))
        grown = np.array(points[before:]).reshape(-1, 1, 2)
        if not len(grown) or len(points) > most:
            break
        goals = goals[np.linalg.norm(goals - grown, axis=2).min(axis=0) > 1.2 * step]
    return points[:most], parents[:most]


def sticks(rng):
    """A bare stem of random length: enough to be a valid tree."""
    pieces = rng.uniform(0.02, 0.1, rng.integers(4, 12))
    tree = seedling()
    run(tree, 0, 0.0, pieces, rng, wobble=0.2)
    return ordered(*tree)
