"""How much more than chance: the statistics by which a leak is told from a coincidence.

Data is drawn once and for ever, so each test may be wrong about once in a million at most: a task
that is sound stays sound.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

Z = 5.0
"""Standard deviations beyond which something is no coincidence."""
_FAR_OFF = 1e-9  # the probability below which agreement is no coincidence


def agree_beyond_chance(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """The share of places where both are equal, None where chance gives as much.

    Chance is what the two would have in common if one of them were shuffled.
    """
    count = len(one)
    hits = sum(a == b for a, b in zip(one, other, strict=True))
    here, there = Counter(one), Counter(other)
    expected = sum(here[value] * there[value] for value in here) / max(count, 1) ** 2
    if not hits or hits / count <= expected:
        return None
    # Chernoff's bound on the tail of the binomial distribution.
    share = hits / count
    divergence = share * math.log(share / expected)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - expected))
    return share if math.exp(-count * divergence) < _FAR_OFF else None


def purity(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """How often the most frequent partner of each value of `one` is the right guess of `other`."""
    partners: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for value, partner in zip(one, other, strict=True):
        partners[value][partner] += 1
    return sum(max(counts.values()) for counts in partners.values()) / max(len(one), 1)


def numbers(values: Sequence[str | bytes]) -> Any:
    """The values as an array of floats [N], None where one is no finite number."""
    try:
        found = np.array([float(value) for value in values if isinstance(value, str)])
    except ValueError:
        return None
    return found if len(found) == len(values) and np.isfinite(found).all() else None


def rank_correlation(one: Any, other: Any) -> float:
    """Spearman's correlation of two arrays [N]; 0 where one of them is constant."""
    ranks = [_ranks(one), _ranks(other)]
    spread = ranks[0].std() * ranks[1].std()
    if not spread:
        return 0.0
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / spread)


def _ranks(values: Any) -> Any:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[inverse]


def pattern(classes: Sequence[Hashable]) -> str | None:
    """What the order of a sequence of classes tells, None where it looks shuffled.

    Looks at neighbours (blocks, alternation), at drift, and at what comes every k-th time.
    """
    codes = {value: code for code, value in enumerate(dict.fromkeys(classes))}
    found = np.array([codes[value] for value in classes])
    count = len(found)
    shares = np.bincount(found) / max(count, 1)
    if count < 20 or len(shares) < 2 or len(shares) > count / 4:
        return None
    same, expected = (found[1:] == found[:-1]).mean(), float((shares**2).sum())
    if _is_off(same, expected, count - 1):
        return f"neighbours are alike in {same:.0%} of all places, {expected:.0%} by chance"
    places = np.arange(count)
    for code, value in enumerate(codes):
        if min(shares[code], 1 - shares[code]) * count >= 10:
            drift = rank_correlation((found == code).astype(float), places)
            if abs(drift) > max(0.1, Z / math.sqrt(count)):
                return f"{value!s:.40} lies towards one end"
    for step in range(2, min(17, count // 10)):
        tables = np.bincount(found * step + places % step, minlength=len(shares) * step)
        in_step = tables.reshape(len(shares), step).max(axis=0).sum() / count
        most = shares.max()
        if in_step > most + 0.15 and _is_off(in_step, most, count / len(shares)):
            return f"every {step}th is of one class in {in_step:.0%} of all places"
    return None


def _is_off(share: float, expected: float, count: float) -> bool:
    deviation = math.sqrt(max(expected * (1 - expected), 1e-12) / count)
    return abs(share - expected) > max(0.05, Z * deviation)
