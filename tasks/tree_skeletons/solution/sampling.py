"""Grows trees from latents, one node of all of them at a time."""

import numpy as np
import torch
from model import drawn
from skeletons import LEVELS, MOST, STOP, seen

FEWEST = 10


def decoded(decoder, latents, scale, calm=1.0):
    """Trees as arrays nodes, parents, counts: those that were ended in time."""
    size = len(latents)
    rows = np.arange(size)
    nodes = np.zeros((size, MOST, 2))
    parents = np.full((size, MOST), -1, np.int16)
    headings, depths = np.zeros((size, MOST)), np.zeros((size, MOST), int)
    born = np.zeros((size, MOST), int)
    told = np.zeros((size, MOST, 8), np.float32)
    told[:, 0] = seen(nodes[:, 0], *[headings[:, 0]] * 3, depths[:, 0])
    counts = np.zeros(size, np.int16)
    growing = np.ones(size, bool)
    states, state = [], None
    for node in range(1, MOST + 1):
        here = torch.tensor(told[:, node - 1 : node])
        out, state = decoder.follow(latents, here, state)
        states.append(out[:, 0])
        logits = decoder.climbs(latents, out)[:, 0]
        # No climb beyond the root, no end of a tree too small.
        high = torch.arange(LEVELS) > torch.tensor(depths[:, node - 1])[:, None]
        logits[:, :LEVELS][high] = -torch.inf
        if node < FEWEST:
            logits[:, STOP] = -torch.inf
        climb = torch.distributions.Categorical(logits=logits).sample().numpy()
        counts[growing & (climb == STOP)] = node
        growing &= climb != STOP
        if node == MOST:
            break
        parent = np.full(size, node - 1)
        for level in range(LEVELS):
            higher = (climb > level) & (climb != STOP) & (parent > 0)
            parent[higher] = parents[rows, parent][higher]
        there = torch.stack(states, dim=1)[rows, parent][:, None]
        known = torch.tensor(told[rows, parent])[:, None]
        rank = torch.tensor(born[rows, parent])[:, None]
        shoot = drawn(decoder.shoots(latents, out, there, known, rank), calm)[:, 0]
        length, turn = (shoot * scale[1] + scale[0]).numpy().astype(float).T
        length, before = np.exp(np.minimum(length, 0)), headings[rows, parent]
        headings[:, node] = before + turn
        way = np.stack([np.sin(headings[:, node]), np.cos(headings[:, node])], axis=1)
        nodes[:, node] = nodes[rows, parent] + length[:, None] * way
        parents[:, node] = parent
        depths[:, node] = depths[rows, parent] + 1
        born[rows, parent] += 1
        told[:, node] = seen(nodes[:, node], headings[:, node], before, length, depths[:, node])
    ended = ~growing
    behind = np.arange(MOST) >= counts[:, None]
    nodes[behind], parents[behind] = 0, -1
    return {
        "nodes": nodes[ended].astype(np.float32),
        "parents": parents[ended],
        "counts": counts[ended],
    }
