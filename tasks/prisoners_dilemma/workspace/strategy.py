"""A strategy for the row player: mostly answer in kind, now and then forgive or provoke."""

import random


def row_strategy(history):
    """The next move, 0 or 1. `history` is a list of (row_move, column_move)."""
    if not history:
        return random.randrange(2)
    own_last, column_last = history[-1]
    draw = random.random()
    if column_last == 1:
        if draw < 0.75:
            return 1
        return own_last if draw < 0.9 else 0
    if draw < 0.6:
        return 0
    return own_last if draw < 0.9 else 1
