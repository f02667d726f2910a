"""Comparing enclosed numbers: an inequality is violated only where the enclosures prove it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from hypothesis import assume

from epsrank.proofs.testing.search import Counterexample, Tally
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval


def rank(features: Any, eps: float, exact: bool = True, **measure: Any) -> RankInterval:
    """Return r_ε, exactly by default."""
    return epsilon_rank(features, eps, exact=exact, **measure)


def at_most(tally: Tally, left: RankInterval, right: RankInterval, what: str) -> None:
    """Check left ≤ right between two enclosed ranks."""
    if left.lower > right.upper:
        raise Counterexample(f"{what}: {_show(left)} > {_show(right)}")
    tally.count(left.upper <= right.lower)


def same(tally: Tally, left: RankInterval, right: RankInterval, what: str) -> None:
    """Check left = right between two enclosed ranks."""
    if left.lower > right.upper or right.lower > left.upper:
        raise Counterexample(f"{what}: {_show(left)} against {_show(right)}")
    tally.count(left.resolved and right.resolved)


def contains(tally: Tally, interval: RankInterval, truth: int, what: str) -> None:
    """Check that an interval contains the true count.

    In the tally it is decided where the interval is one number.
    """
    if truth not in interval:
        raise Counterexample(f"{what} says {_show(interval)}, the exact count is {truth}")
    tally.count(interval.resolved)


def _show(interval: RankInterval) -> str:
    return f"{interval.ends} (ε = {interval.eps!r}, route {interval.route})"


def threshold(value: Fraction, *, above: bool) -> float:
    """Return a usable float64 threshold next to a rational one, on the side that is safe."""
    assume(value > 0)
    try:
        near = float(value)
    except OverflowError:
        # A Fraction beyond float64 raises; the case is rejected below.
        near = float("inf")
    assume(1e-300 < near < 1e300)
    if above and Fraction(near) < value:
        near = math.nextafter(near, math.inf)
    if not above and Fraction(near) > value:
        near = math.nextafter(near, 0.0)
    return near
