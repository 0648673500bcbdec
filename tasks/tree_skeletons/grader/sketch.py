"""Draws trees as small blurred pictures, many at once."""

import numpy as np

STEPS = 8  # points by which a segment is drawn


def blurred(frame, parents, edges, side, blur):
    """Pictures [N, side * side], each adding up to 1: where in the unit square the wood is.

    `frame` holds nodes [N, M, 2] with the picture's corners at (0, 0) and (1, 1); what lies outside
    is drawn upon the border. `blur` is a standard deviation in pixels.
    """
    tree, node = np.nonzero(edges)
    end, start = frame[tree, node], frame[tree, parents[tree, node]]
    weight = np.linalg.norm(end - start, axis=1) / STEPS
    drawn = np.zeros(len(frame) * side * side)
    for step in (np.arange(STEPS) + 0.5) / STEPS:
        at = np.clip((start + step * (end - start)) * side - 0.5, 0, side - 1.001)
        low = at.astype(np.int64)
        share = at - low
        for right in (0, 1):
            for up in (0, 1):
                part = np.abs(1 - right - share[:, 0]) * np.abs(1 - up - share[:, 1])
                place = (tree * side + low[:, 1] + up) * side + low[:, 0] + right
                drawn += np.bincount(place, part * weight, minlength=len(drawn))
    reach = np.arange(side)
    spread = np.exp(-0.5 * ((reach[:, None] - reach) / blur) ** 2)
    pictures = spread @ drawn.reshape(len(frame), side, side) @ spread
    total = pictures.sum(axis=(1, 2), keepdims=True)
    return (pictures / np.maximum(total, 1e-12)).reshape(len(frame), -1)
