"""Rehearses strategy.py against a coin: are its moves legal, and what would they earn here?

The coin is not the opponent that you are graded against. Nothing is written.
"""

import random
from numbers import Integral

from strategy import row_strategy

MATCHES, ROUNDS = 1000, 10
PAYOFF = {(0, 0): 3, (0, 1): 0, (1, 0): 5, (1, 1): 1}

random.seed(0)
total = 0
for match in range(MATCHES):
    history = []
    for number in range(ROUNDS):
        move = row_strategy(list(history))
        if not isinstance(move, Integral) or isinstance(move, bool) or move not in (0, 1):
            raise SystemExit(f"match {match + 1}, round {number + 1}: {move!r} is no legal move")
        history.append((int(move), random.randrange(2)))
        total += PAYOFF[history[-1]]
print(f"legal; {total / (MATCHES * ROUNDS):.3f} a round against a coin")
