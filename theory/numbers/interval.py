"""Closed intervals with exact rational ends: what a certificate hands out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.numbers.dyadic import power_of_two


@dataclass(frozen=True)
class Interval:
    """A certified enclosure  lower ≤ x ≤ upper  of one real number, ends included.

    The ends are exact rationals, so comparisons never round and depend on no precision setting.
    """

    #: The ends; equal where the number is known exactly.
    lower: Fraction
    upper: Fraction

    @property
    def width(self) -> Fraction:
        """Upper − lower."""
        return self.upper - self.lower

    @property
    def exact(self) -> bool:
        """Whether the number is known exactly."""
        return self.lower == self.upper

    def __contains__(self, value: object) -> bool:
        if isinstance(value, Interval):
            return self.lower <= value.lower and value.upper <= self.upper
        return isinstance(value, (int, float, Fraction)) and self.lower <= value <= self.upper

    def __float__(self) -> float:
        return nearest((self.lower + self.upper) / 2)

    def __str__(self) -> str:
        if self.exact:
            return f"{float(self):.17g}"
        return f"{float(self):.17g} ± {nearest(self.width / 2):.1e}"

    def to_json(self) -> dict[str, float | None]:
        """Return the ends as float64, rounded outward, and the width of the interval itself.

        Keys are ``lower``, ``upper`` and ``width``, with None for a bound beyond the range of
        float64.
        """
        return {
            "lower": json_float(self.lower, -1),
            "upper": json_float(self.upper, +1),
            "width": json_float(self.width, +1),
        }


def outward(value: Fraction, direction: int) -> float:
    """Return the float64 next to a rational number, below or above it."""
    try:
        near = float(value)
    except OverflowError:
        # Away from 0 only ∞ bounds it; towards 0 the largest float64 does.
        top = np.inf if (value > 0) == (direction > 0) else np.finfo(np.float64).max
        return float(top if value > 0 else -top)
    if (Fraction(near) - value) * direction >= 0:
        return near
    return float(np.nextafter(near, direction * np.inf))


def json_float(value: Fraction, direction: int) -> float | None:
    """Return the float64 next to a number, or None where it would be infinite (JSON has no ∞)."""
    rounded = outward(value, direction)
    return rounded if np.isfinite(rounded) else None


def nearest(value: Fraction) -> float:
    """Return the nearest float64, ±∞ beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return float(np.inf if value > 0 else -np.inf)


def point(value: Fraction | int) -> Interval:
    """Return the interval that holds one number."""
    return Interval(Fraction(value), Fraction(value))


def hull(intervals: list[Interval]) -> Interval:
    """Return the smallest interval that contains all of the given ones."""
    return Interval(min(i.lower for i in intervals), max(i.upper for i in intervals))


def maximum(intervals: list[Interval]) -> Interval:
    """Return an enclosure of the maximum of the enclosed numbers."""
    return Interval(max(i.lower for i in intervals), max(i.upper for i in intervals))


def from_ball(ball: Any, *, non_negative: bool = False) -> Interval:
    """Return the ends of a ball [m ± r] exactly, whatever the working precision is by now."""
    middle, radius = _dyadic(ball.mid()), _dyadic(ball.rad())
    lower, upper = middle - radius, middle + radius
    if non_negative:
        lower, upper = max(lower, Fraction(0)), max(upper, Fraction(0))
    return Interval(lower, upper)


def _dyadic(number: Any) -> Fraction:
    """Return the exact value of a ball of radius 0."""
    mantissa, exponent = number.man_exp()
    return Fraction(int(mantissa)) * power_of_two(int(exponent))
