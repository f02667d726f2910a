"""Intervals that assume no distribution: for a median, by order statistics, and for a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

from epsrank.theory.data.inputs import as_share
from epsrank.theory.errors import InputError
from epsrank.theory.shown import Shown


@dataclass(frozen=True)
class MedianInterval(Shown):
    """A sample median m̂ with [low, high] ∋ m, m the median of the distribution."""

    #: Sample median; ±∞ is possible where values are.
    value: float
    #: Two of the observations.
    low: float
    high: float
    #: P(low ≤ m ≤ high) for independent observations, at least; below what was asked for where
    #: there are too few of them.
    coverage: float
    #: Observations behind it.
    count: int

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside."""
        return value < self.low or value > self.high

    def __str__(self) -> str:
        return (
            f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] "
            f"({100 * self.coverage:.1f} %, n = {self.count})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the interval as plain data."""
        return dict(vars(self))


def median_interval(values: Sequence[float], coverage: float = 0.95) -> MedianInterval:
    """Return the sample median between the k-th smallest and the k-th largest observation.

    For m independent observations P(X_(k) ≤ median ≤ X_(m+1−k)) ≥ 1 − 2·P(Bin(m, ½) < k), whatever
    their distribution; the largest k with at least the coverage asked for is taken, and k = 1 where
    there is none (m < 6 for 95 %). Observations of +∞, such as the time of a run that
    never arrives, are as good as others: only their order counts.

    >>> print(median_interval([3.0, 1.0, 2.0, 5.0, 4.0, 6.0]))
    3.5 [1, 6] (96.9 %, n = 6)

    Source: H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1.
    """
    if len(values) == 0:
        raise InputError("values", "are empty", "pass at least one observation")
    if any(math.isnan(value) for value in values):
        raise InputError("values", "hold NaN", "drop such observations, and say how many they were")
    coverage = as_share(coverage, "coverage")
    ordered = sorted(float(value) for value in values)
    m, k = len(ordered), 1
    # 2k ≤ m keeps the two ends in order.
    while 2 * (k + 1) <= m and _outside(m, k + 1) <= 1 - coverage:
        k += 1
    middle, upper = ordered[(m - 1) // 2], ordered[m // 2]
    # Infinities have no mean: equal ones need none, and of an infinite and another one the lower
    # is a sample median as well.
    value = (middle + upper) / 2 if math.isfinite(middle) and math.isfinite(upper) else middle
    return MedianInterval(value, ordered[k - 1], ordered[m - k], 1 - _outside(m, k), m)


def _outside(m: int, k: int) -> float:
    """Return 2·P(Bin(m, ½) < k), at most 1."""
    # Integers up to the one division: nothing rounds or overflows before, however large m is.
    return float(min(1.0, 2 * sum(math.comb(m, i) for i in range(k)) / 2**m))


@dataclass(frozen=True)
class Proportion(Shown):
    """A share k/m with [low, high] ∋ p for k ~ Bin(m, p)."""

    #: k and m.
    count: int
    total: int
    #: Ends of the interval.
    low: float
    high: float
    #: P(low ≤ p ≤ high), at least, whatever p.
    coverage: float

    @property
    def value(self) -> float:
        """k/m."""
        return self.count / self.total

    def __str__(self) -> str:
        return f"{self.count} of {self.total} [{self.low:.2f}, {self.high:.2f}]"

    def to_json(self) -> dict[str, Any]:
        """Return the share as plain data."""
        return dict(vars(self)) | {"value": self.value}


def proportion(count: int, total: int, coverage: float = 0.95) -> Proportion:
    """Return the interval of all p with  P(Bin(m, p) ≥ k), P(Bin(m, p) ≤ k) > (1 − coverage)/2.

    >>> print(proportion(6, 6))
    6 of 6 [0.54, 1.00]

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404–413.
    """
    if total < 1:
        raise InputError("total", f"is {total}", "pass at least one trial")
    if not 0 <= count <= total:
        raise InputError("count", f"is {count} of {total}", "pass 0 ≤ count ≤ total")
    coverage = as_share(coverage, "coverage")
    half = (1 - coverage) / 2
    # P(Bin(m, p) ≥ k) = P(Beta(k, m − k + 1) ≤ p): both ends are quantiles of Beta laws.
    low = float(beta.ppf(half, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - half, count + 1, total - count)) if count < total else 1.0
    return Proportion(count, total, low, high, coverage)
