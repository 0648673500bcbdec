"""Plays the submitted row strategy against the hidden column rule, all matches in lockstep."""

import numpy as np
from mlgym_kit import SubmissionError

MATCHES = 10_000
ROUNDS = 10
ROUND_S = 60.0
ROW_PAYOFF = np.array([[2.0, 0.0], [0.0, 1.0]])
LOYALTY = 0.8  # probability that column repeats row's first move


def grade(player, answers, split, rng):
    """`payoff`: row's mean payoff a round, in [0, 2]; standard error below 0.005."""
    player.load("strategy.py", seed=int(rng.integers(2**32)))
    column = np.ones(MATCHES, dtype=np.int64)
    first = column
    last = MATCHES
    total = 0.0
    for number in range(ROUNDS):
        row = legal(player.play("row_strategy", last, timeout_s=ROUND_S), number)
        if number == 0:
            first = row
        else:
            loyal = rng.random(MATCHES) < LOYALTY
            column = np.where(loyal, first, 1 - first)
        total += ROW_PAYOFF[row, column].sum()
        last = column
    return {"payoff": total / (MATCHES * ROUNDS)}


def legal(moves, number):
    """The moves as an array of 0 and 1, one a match; the first other one is refused by name."""
    if not isinstance(moves, list) or len(moves) != MATCHES:
        raise SubmissionError(f"round {number + 1}: expected {MATCHES} moves")
    for match, move in enumerate(moves):
        if type(move) is not int or move not in (0, 1):
            raise SubmissionError(
                f"match {match + 1}, round {number + 1}: row_strategy returned {move!r:.100},"
                " expected the integer 0 or 1"
            )
    return np.array(moves, dtype=np.int64)
