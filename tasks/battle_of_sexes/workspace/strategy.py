"""A strategy for the row player: mostly do what column did last."""

import random


def row_strategy(history):
    """The next move, 0 or 1. `history` is a list of (row_move, column_move)."""
    if not history:
        return 0
    own_last, column_last = history[-1]
    draw = random.random()
    if draw < 0.1:
        return 0
    if draw < 0.2:
        return 1
    if draw < 0.9:
        return column_last
    return own_last
