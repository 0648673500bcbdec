"""A strategy for the row player: a few random heaps, the rest scattered."""

import random

FIELDS = 6
SOLDIERS = 120


def row_strategy(history):
    """Six integers that add up to 120. `history` is a list of (row_move, column_move)."""
    heaps = [0] * FIELDS
    for _ in range(random.randint(1, FIELDS)):
        heaps[random.randrange(FIELDS)] += random.randint(10, 30)
    left = SOLDIERS - sum(heaps)
    for field in range(FIELDS):
        if left <= 0:
            break
        if heaps[field] == 0:
            heaps[field] = random.randint(0, left)
            left -= heaps[field]
    return scaled(heaps)


def scaled(heaps):
    """The heaps in proportion, using up every soldier."""
    total = sum(heaps)
    move = [heap * SOLDIERS // total for heap in heaps]
    move[random.randrange(FIELDS)] += SOLDIERS - sum(move)
    return move
