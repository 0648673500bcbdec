"""Rehearses strategy.py against an even spread: are its moves legal, and how often do they win?

The even spread is not the opponent that you are graded against. Nothing is written.
"""

import random
from numbers import Integral

from strategy import row_strategy

MATCHES, ROUNDS, FIELDS, SOLDIERS = 1000, 10, 6, 120
COLUMN = (20,) * FIELDS

random.seed(0)
total = 0
for match in range(MATCHES):
    history = []
    for number in range(ROUNDS):
        move = tuple(row_strategy(list(history)))
        whole = all(isinstance(heap, Integral) and not isinstance(heap, bool) for heap in move)
        if not whole or len(move) != FIELDS or min(move) < 0 or sum(move) > SOLDIERS:
            raise SystemExit(f"match {match + 1}, round {number + 1}: {move!r} is no legal move")
        history.append((move, COLUMN))
        won = sum(
            int(own > other) - int(own < other) for own, other in zip(move, COLUMN, strict=True)
        )
        total += (won > 0) - (won < 0)
print(f"legal; {total / (MATCHES * ROUNDS):+.3f} a round against an even spread")
