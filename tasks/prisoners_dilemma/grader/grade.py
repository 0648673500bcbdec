"""Plays the submitted row strategy against the hidden mixture, all matches in lockstep."""

import numpy as np
from mlgym_kit import SubmissionError

MATCHES = 10_000
ROUNDS = 10
ROUND_S = 60.0
COOPERATE, DEFECT = 0, 1
ROW_PAYOFF = np.array([[3.0, 0.0], [5.0, 1.0]])


def grade(player, answers, split, rng):
    """`payoff`: row's mean payoff a round, in [0, 5]; standard error below 0.007."""
    player.load("strategy.py", seed=int(rng.integers(2**32)))
    rows = np.zeros((0, MATCHES), dtype=np.int64)
    columns = np.zeros((0, MATCHES), dtype=np.int64)
    last = MATCHES
    total = 0.0
    for number in range(ROUNDS):
        row = legal(player.play("row_strategy", last, timeout_s=ROUND_S), number)
        drawn = rng.integers(len(RULES), size=MATCHES)
        moves = np.stack([rule(rows, columns, rng) for rule in RULES])
        column = moves[drawn, np.arange(MATCHES)]
        total += ROW_PAYOFF[row, column].sum()
        rows, columns = np.vstack([rows, row]), np.vstack([columns, column])
        last = column
    return {"payoff": total / (MATCHES * ROUNDS)}


# Column's rules: the next move of every match from the earlier ones, [rounds so far, matches] ----


def noisy(rows, columns, rng):
    if not len(rows):
        return always_defect(rows, columns, rng)
    draw = rng.random(MATCHES)
    bounds = np.cumsum([1 / 3, 1 / 6, 0.4])
    moves = [np.zeros_like(rows[-1]), np.ones_like(rows[-1]), columns[-1], 1 - rows[-1]]
    return np.choose(np.searchsorted(bounds, draw, side="right"), moves)


def tit_for_tat(rows, columns, rng):
    return rows[-1] if len(rows) else always_cooperate(rows, columns, rng)


def always_cooperate(rows, columns, rng):
    return np.full(MATCHES, COOPERATE)


def always_defect(rows, columns, rng):
    return np.full(MATCHES, DEFECT)


def fair_coin(rows, columns, rng):
    return rng.integers(2, size=MATCHES)


def grim_trigger(rows, columns, rng):
    return rows.max(axis=0, initial=COOPERATE)


def pavlov(rows, columns, rng):
    if not len(rows):
        return always_cooperate(rows, columns, rng)
    return np.where(rows[-1] == columns[-1], COOPERATE, DEFECT)


def tit_for_two_tats(rows, columns, rng):
    return rows[-1] & rows[-2] if len(rows) > 1 else always_cooperate(rows, columns, rng)


def suspicious_tit_for_tat(rows, columns, rng):
    return rows[-1] if len(rows) else always_defect(rows, columns, rng)


def forgiving_tit_for_tat(rows, columns, rng):
    forgiven = tit_for_two_tats(rows, columns, rng) == DEFECT
    return np.where(forgiven, COOPERATE, tit_for_tat(rows, columns, rng))


RULES = (
    noisy,
    tit_for_tat,
    always_cooperate,
    always_defect,
    fair_coin,
    grim_trigger,
    pavlov,
    tit_for_two_tats,
    suspicious_tit_for_tat,
    fair_coin,  # twice as likely as the others
    forgiving_tit_for_tat,
)
"""In every round one of them is drawn anew for each match."""


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
