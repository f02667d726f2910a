"""A number with a bound on each side: what a comparison may rest on depends on its direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

from epsrank.theory.floor.reading import quotient
from epsrank.theory.numbers.interval import Interval, nearest, outward
from epsrank.theory.strict_json import nulled

# What three roundings at most can take or add, relatively.
_UP, _DOWN = 1 + 2.0**-50, 1 - 2.0**-50


@dataclass(frozen=True)
class Enclosed:
    """lower ≤ x ≤ upper: "at least" rests on the lower end, "at most" on the upper one."""

    lower: float
    #: As computed; nothing rests on it.
    value: float
    upper: float

    @classmethod
    def of_norm(cls, norm: float, error: float) -> Enclosed:
        """Return the square of a norm ≥ 0 that is known to an error."""
        low, high = max(0.0, norm - error), norm + error
        return cls(low * low * _DOWN, norm * norm, high * high * _UP)

    @classmethod
    def of_interval(cls, interval: Interval) -> Enclosed:
        """Return an exact interval with its ends rounded outward."""
        middle = nearest((interval.lower + interval.upper) / 2)
        return cls(outward(interval.lower, -1), middle, outward(interval.upper, +1))

    @property
    def unknown(self) -> bool:
        """Whether nothing is known of x ≥ 0, as of 0/0 to rounding."""
        return self.lower <= 0 and math.isinf(self.upper)

    def over(self, other: Enclosed) -> Enclosed:
        """Return x/y for x, y ≥ 0: at most x.upper/y.lower, at least x.lower/y.upper."""
        value = quotient(self.value, other.value) if self.value or other.value else math.nan
        low, high = quotient(self.lower, other.upper), quotient(self.upper, other.lower)
        return Enclosed(low * _DOWN if self.lower else 0.0, value, high * _UP)

    def to_json(self) -> dict[str, float | None]:
        """Return the three numbers, null where they are not finite."""
        found: dict[str, float | None] = nulled(vars(self))
        return found

    def __str__(self) -> str:
        shown = "–" if math.isnan(self.value) else f"{self.value:.4g}"
        # A width that four digits do not show needs no mention.
        if f"{self.lower:.4g}" == f"{self.upper:.4g}":
            return shown
        return f"{shown} in [{self.lower:.4g}, {self.upper:.4g}]"
