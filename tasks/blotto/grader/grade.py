"""Plays the submitted allocations against the hidden column rule, all matches in lockstep."""

import numpy as np
from mlgym_kit import SubmissionError

MATCHES = 10_000
ROUNDS = 10
FIELDS = 6
SOLDIERS = 120
ROUND_S = 60.0


def grade(player, answers, split, rng):
    """`result`: the mean of +1, 0, -1 over rounds, in [-1, 1]; standard error about 0.003."""
    player.load("strategy.py", seed=int(rng.integers(2**32)))
    last = MATCHES
    total = 0
    for number in range(ROUNDS):
        row = legal(player.play("row_strategy", last, timeout_s=ROUND_S), number)
        column = opponents(rng)
        won = (row > column).sum(axis=1) - (row < column).sum(axis=1)
        total += np.sign(won).sum()
        last = column
    return {"result": total / (MATCHES * ROUNDS)}


def opponents(rng):
    """Column's allocations, [matches, fields]: uniform heaps, scaled down to 120 in all, what the
    rounding leaves given to one field."""
    heaps = rng.integers(0, SOLDIERS + 1, size=(MATCHES, FIELDS))
    scaled = heaps * SOLDIERS // np.maximum(heaps.sum(axis=1, keepdims=True), 1)
    lucky = rng.integers(FIELDS, size=MATCHES)
    scaled[np.arange(MATCHES), lucky] += SOLDIERS - scaled.sum(axis=1)
    return scaled


def legal(moves, number):
    """The moves as an array [matches, fields]; the first illegal one is refused by name."""
    if not isinstance(moves, list) or len(moves) != MATCHES:
        raise SubmissionError(f"round {number + 1}: expected {MATCHES} moves")
    for match, move in enumerate(moves):
        if (
            not isinstance(move, list)
            or len(move) != FIELDS
            or any(type(heap) is not int or heap < 0 for heap in move)
            or sum(move) > SOLDIERS
        ):
            raise SubmissionError(
                f"match {match + 1}, round {number + 1}: row_strategy returned {move!r:.200},"
                f" expected {FIELDS} integers of at least 0 with a sum of at most {SOLDIERS}"
            )
    return np.array(moves, dtype=np.int64)
