"""Intervals and tests that assume no distribution: of a median, of a share, over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta, norm

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
    m = len(ordered)
    k = _order(m, coverage)
    middle, upper = ordered[(m - 1) // 2], ordered[m // 2]
    # Infinities have no mean: equal ones need none, and of an infinite and another one the lower
    # is a sample median as well.
    value = (middle + upper) / 2 if math.isfinite(middle) and math.isfinite(upper) else middle
    return MedianInterval(value, ordered[k - 1], ordered[m - k], 1 - _outside(m, k), m)


def _order(m: int, coverage: float) -> int:
    """Return the largest k for which the interval has the coverage, 1 where there is none."""
    k = 1
    # 2k ≤ m keeps the two ends in order.
    while 2 * (k + 1) <= m and _outside(m, k + 1) <= 1 - coverage:
        k += 1
    return k


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


def equivalent(interval: MedianInterval, null: float, margin: float, level: float = 0.05) -> bool:
    """Whether two one-sided tests place the median within a margin of no effect.

    Both ``median ≤ null − margin`` and ``median ≥ null + margin`` are rejected at a level exactly
    if an interval of coverage 1 − 2·level lies inside; one with too few observations tells nothing.

    >>> equivalent(median_interval([0.1, -0.1] * 6, 0.9), 0.0, 0.5)
    True

    Source: D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657–680.
    """
    if interval.coverage < 1 - 2 * level:
        return False
    return null - margin < interval.low and interval.high < null + margin


def detectable_shift(count: int, coverage: float = 0.95, power: float = 0.8) -> float:
    """Return the least shift, in standard deviations, that an interval of the median would show.

    The interval lies above 0 if at most k − 1 of the m observations are below; of normal ones with
    shift δ that has probability P(Bin(m, Φ(−δ)) < k). ∞ where m is too small for the coverage.

    >>> round(detectable_shift(12), 2)
    1.12
    """
    interval = median_interval([0.0] * count, coverage) if count else None
    if interval is None or interval.coverage < coverage:
        return math.inf
    k = _order(count, coverage)
    # P(Bin(m, p) < k) = P(Beta(m − k + 1, k) ≤ 1 − p), so that 1 − p is a quantile.
    return float(norm.ppf(beta.ppf(power, count - k + 1, k)))


def detectable_share(count: int, above: float = 0.5, power: float = 0.8) -> float:
    """Return the least share p whose exact interval of m runs lies above a bound so often.

    >>> round(detectable_share(12), 3)
    0.869
    """
    needed = next((k for k in range(count + 1) if proportion(k, count).low > above), None)
    if needed is None:
        return math.inf
    # P(Bin(m, p) ≥ k) = P(Beta(k, m − k + 1) ≤ p).
    return float(beta.ppf(power, needed, count - needed + 1)) if needed else 0.0


# All sign changes of so many seeds are gone through; of more, so many are drawn.
_MOST_EXACT_FLIPS, _DRAWN_FLIPS = 14, 20_000


def sign_flip_pvalue(scores: Sequence[float]) -> float:
    """Return P(Σ ±x_s ≥ Σ x_s) over independent signs: no effect leaves each x_s as likely as −x_s.

    One score per seed, whatever number of comparisons share its runs. Exact for up to 14 seeds.

    >>> sign_flip_pvalue([1.0] * 8)
    0.00390625
    """
    values = np.array([float(score) for score in scores])
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError("scores", "are empty or not finite", "pass one number per seed")
    if values.size <= _MOST_EXACT_FLIPS:
        signs = 1 - 2 * ((np.arange(2**values.size)[:, None] >> np.arange(values.size)) & 1)
        extra = 0
    else:
        # Fixed: the same scores have the same p-value. They are one of the draws themselves.
        signs = np.random.default_rng(20261130).choice([-1, 1], (_DRAWN_FLIPS, values.size))
        extra = 1
    # Ties are rounding: they count against the effect.
    slack = 1e-12 * float(np.abs(values).sum())
    at_least = int((signs @ values >= values.sum() - slack).sum())
    return (at_least + extra) / (len(signs) + extra)


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: max over smaller ones of (m − rank) p, at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Source: S. Holm, Scand. J. Statist. 6 (1979) 65–70.
    """
    order = sorted(range(len(pvalues)), key=lambda place: pvalues[place])
    adjusted, largest = [0.0] * len(pvalues), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(pvalues) - rank) * pvalues[place]))
        adjusted[place] = largest
    return adjusted
