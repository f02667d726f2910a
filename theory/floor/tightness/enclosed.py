"""A number with a bound on each side: what a comparison may rest on depends on its direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    def within(self, lower: float, upper: float) -> Enclosed:
        """Return x with other bounds beside these, the better ones of both."""
        low, high = max(self.lower, lower), min(self.upper, upper)
        return Enclosed(low, min(max(self.value, low), high), high)

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


def falling(places: Sequence[float], found: Sequence[Enclosed]) -> list[Enclosed]:
    """Return values of a falling function, each with what the others say: f(a) ≥ f(b) for a ≤ b."""
    return [
        one.within(
            max(other.lower for far, other in zip(places, found, strict=True) if far >= at),
            min(other.upper for near, other in zip(places, found, strict=True) if near <= at),
        )
        for at, one in zip(places, found, strict=True)
    ]
