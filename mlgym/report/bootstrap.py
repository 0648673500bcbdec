"""How sure a number is: 95 % intervals by the bootstrap over runs, stratified by task.

A resample draws from each cell one run fewer than it holds: then the spread of the resamples is
that of the number itself, not too small as with as many runs as there are. The interval is the
value give or take so many of these spreads as Student's t asks for few runs. Percentiles of the
resamples would not do: a best over k runs can only fall in a resample, so that they would hold the
truth in half of all cases. `docs/how-to/report.md` tells how often these do.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mlgym.report.entries import Array

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
_UNBOUND = (-math.inf, math.inf)
_Z = 1.959963985
# Student's t at 97.5 % for 1, 2, ... degrees of freedom; beyond, a series is near enough.
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; `low` and `high` are None where too few runs give none."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


def generator(*names: str) -> Generator:
    """A fixed source of chance for each name, so that a further model changes no other's."""
    return np.random.default_rng(
        [SEED, *(zlib.crc32(name.encode("utf-8", "replace")) for name in names)]
    )


def weights(count: int, *names: str) -> Array:
    """How often each resample holds each of `count` runs: shape (resamples, count).

    A resample is of count - 1 runs, but at least one.
    """
    drawn = generator(*names).integers(count, size=(RESAMPLES, max(1, count - 1)))
    flat = (drawn + count * np.arange(RESAMPLES)[:, None]).ravel()
    counted = np.bincount(flat, minlength=RESAMPLES * count)
    return counted.reshape(RESAMPLES, count).astype(np.float64)


def resampled_means(values: Array, *names: str) -> Array:
    """The mean of each resample: shape (resamples,)."""
    shape = (RESAMPLES, max(1, len(values) - 1))
    return values[generator(*names).integers(len(values), size=shape)].mean(axis=1)


def resampled_bests(values: Array, *names: str) -> Array:
    """The highest of each resample: shape (resamples,). NaN is below everything.

    The highest of m draws from n runs is the run whose rank is the highest of m equal chances: one
    draw, raised to the power 1/m, tells it.
    """
    # NaN is sorted to the end: turned around, to the beginning.
    ranked = -np.sort(-values)[::-1]
    chance = generator(*names).random(RESAMPLES) ** (1 / max(1, len(values) - 1))
    return ranked[np.minimum((chance * len(values)).astype(np.int64), len(values) - 1)]


def estimate(
    value: float,
    parts: Array,
    counts: Sequence[int],
    bounds: tuple[float, float] = _UNBOUND,
) -> Estimate:
    """The estimate of a mean over strata.

    `parts` of shape (resamples, strata) is what each stratum was in each resample, `counts` how
    many runs it holds. A stratum of a single run tells nothing of its spread: no interval then.
    """
    if not math.isfinite(value):
        return Estimate(None)
    if not counts or min(counts) < 2:
        return Estimate(value)
    spread = float(parts.mean(axis=1).std())
    return _around(value, spread, _freedom(parts, counts), bounds)


def mean_estimate(values: Array, bounds: tuple[float, float] = _UNBOUND) -> Estimate:
    """The mean of the runs of one cell; NaN is left out.

    What the spread of ever more resamples comes to is known for one mean: none need be drawn.
    """
    values = values[np.isfinite(values)]
    count = len(values)
    if count == 0:
        return Estimate(None)
    value = float(values.mean())
    if count == 1:
        return Estimate(value)
    return _around(value, float(values.std(ddof=1)) / math.sqrt(count), count - 1, bounds)


def _around(value: float, spread: float, freedom: float, bounds: tuple[float, float]) -> Estimate:
    half = student(freedom) * spread
    low, high = bounds
    return Estimate(value, min(value, max(low, value - half)), max(value, min(high, value + half)))


def student(freedom: float) -> float:
    """Student's t at 97.5 %; between whole degrees of freedom the wider one."""
    whole = int(freedom)
    if whole <= len(_T):
        return _T[max(1, whole) - 1]
    z, n = _Z, freedom
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    return z + (z**3 + z) / (4 * n) + second + third


def share(count: int, total: int) -> Estimate:
    """A share of `total` runs with Wilson's interval, which also holds for none and for all."""
    if total == 0:
        return Estimate(None)
    part, square = count / total, _Z**2
    middle = (part + square / (2 * total)) / (1 + square / total)
    half = (
        _Z * math.sqrt(part * (1 - part) / total + square / (4 * total**2)) / (1 + square / total)
    )
    return Estimate(part, max(0.0, min(part, middle - half)), min(1.0, max(part, middle + half)))


def _freedom(parts: Array, counts: Sequence[int]) -> float:
    """Degrees of freedom of a sum over strata, by Welch and Satterthwaite."""
    variances = parts.var(axis=0)
    total = float(variances.sum())
    if total <= 0:
        return float(sum(counts) - len(counts))
    freedoms = np.array(counts, dtype=np.float64) - 1
    return total**2 / float((variances**2 / freedoms).sum())
