"""Certified intervals for every eigenvalue of a Gram matrix, and the counts that follow."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.dyadic import float_above, float_below


@dataclass(frozen=True, eq=False)
class SpectrumEnclosure:
    """Intervals  lower_k ≤ λ_k ≤ upper_k  for λ_1 ≥ … ≥ λ_n of a symmetric matrix H."""

    #: λ_k as computed, descending, clipped at 0.
    values: Vector
    #: Certified ends, rounding included.
    lower: Vector
    upper: Vector

    @property
    def error(self) -> float:
        """max_k |values_k − λ_k|, as certified."""
        return float(np.max(np.maximum(self.upper - self.values, self.values - self.lower)))

    @property
    def largest(self) -> tuple[Fraction, Fraction]:
        """Ends of λ_1."""
        return Fraction(float(self.lower[0])), Fraction(float(self.upper[0]))

    def threshold(self, eps: float, scale: Fraction, relative: bool) -> tuple[Fraction, Fraction]:
        """Return ends of θ in the units of H = G/scale: ε/scale, or ε·λ_1 as enclosed here."""
        if relative:
            below, above = self.largest
            return Fraction(eps) * below, Fraction(eps) * above
        theta = Fraction(eps) / scale
        return theta, theta

    def count_above(
        self, eps: float, ends: tuple[Fraction, Fraction], relative: bool
    ) -> tuple[int, int]:
        """Return bounds of #{k : λ_k > θ} for the threshold between two ends; relative, θ = ε·λ_1.

        λ_1 against a multiple of itself is no matter of its digits: it is above ε·λ_1 if it is
        positive and ε < 1, and nothing is where ε ≥ 1.
        """
        if relative and eps >= 1:
            return 0, 0
        least, most = self.count(*ends)
        if relative and self.lower[0] > 0:
            return max(least, 1), max(most, 1)
        return least, most

    def count(self, threshold_below: Fraction, threshold_above: Fraction) -> tuple[int, int]:
        """Return a lower and an upper bound of #{k : λ_k > θ} for an enclosed threshold θ."""
        # θ rounded outward keeps both counts safe, and whole arrays are compared in float64.
        least = int(np.count_nonzero(self.lower > float_above(threshold_above)))
        most = int(np.count_nonzero(self.upper > float_below(threshold_below)))
        return least, max(most, least)


def from_error(values: Vector, error: float) -> SpectrumEnclosure:
    """Return the enclosure of width 2·error around computed eigenvalues of a PSD matrix (M7)."""
    descending = np.sort(values)[::-1]
    # One step outward covers the rounding of the sum.
    lower = np.nextafter(descending - error, -np.inf)
    upper = np.nextafter(descending + error, np.inf)
    clipped = np.maximum(descending, 0.0)
    return SpectrumEnclosure(clipped, np.maximum(lower, 0.0), np.maximum(upper, 0.0))


def intersect(first: SpectrumEnclosure, second: SpectrumEnclosure) -> SpectrumEnclosure:
    """Return the enclosure that holds where both do, with the second one's values."""
    lower = np.maximum(first.lower, second.lower)
    upper = np.minimum(first.upper, second.upper)
    return SpectrumEnclosure(np.clip(second.values, lower, upper), lower, upper)
