"""Certified intervals for every eigenvalue of a Gram matrix, and the counts that follow."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.dyadic import float_above, float_below


@dataclass(frozen=True, eq=False)
class SpectrumEnclosure:
    """Intervals  lower_k ≤ λ_k ≤ upper_k  for λ_1 ≥ … ≥ λ_n of a symmetric matrix H.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        λ_k as computed, descending, clipped at 0.
    lower, upper : ndarray of float64, shape (n,)
        Certified ends, rounding included.
    """

    values: Vector
    lower: Vector
    upper: Vector

    @property
    def error(self) -> float:
        """max_k |values_k − λ_k|, as certified."""
        return float(np.max(np.maximum(self.upper - self.values, self.values - self.lower)))

    def count(self, threshold_below: Fraction, threshold_above: Fraction) -> tuple[int, int]:
        """Return a lower and an upper bound of #{k : λ_k > θ} for an enclosed threshold θ.

        Parameters
        ----------
        threshold_below, threshold_above : Fraction
            θ lies between them, ends included.

        Returns
        -------
        tuple of (int, int)
            The bounds.
        """
        least = int(np.count_nonzero(self.lower > float_above(threshold_above)))
        most = int(np.count_nonzero(self.upper > float_below(threshold_below)))
        return least, max(most, least)


def from_error(values: Vector, error: float) -> SpectrumEnclosure:
    """Return the enclosure of width 2·error around computed eigenvalues of a PSD matrix (M7, Weyl).

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Computed eigenvalues, in any order.
    error : float
        |computed λ_k − λ_k| ≤ error for every k.

    Returns
    -------
    SpectrumEnclosure
        Intervals, cut at 0 because a Gram matrix has no negative eigenvalue.
    """
    descending = np.sort(values)[::-1]
    lower = np.nextafter(descending - error, -np.inf)
    upper = np.nextafter(descending + error, np.inf)
    clipped = np.maximum(descending, 0.0)
    return SpectrumEnclosure(clipped, np.maximum(lower, 0.0), np.maximum(upper, 0.0))


def intersect(first: SpectrumEnclosure, second: SpectrumEnclosure) -> SpectrumEnclosure:
    """Return the enclosure that holds where both do, with the second one's values.

    Parameters
    ----------
    first, second : SpectrumEnclosure
        Enclosures of the same spectrum.

    Returns
    -------
    SpectrumEnclosure
        Their intersection.
    """
    lower = np.maximum(first.lower, second.lower)
    upper = np.minimum(first.upper, second.upper)
    return SpectrumEnclosure(np.clip(second.values, lower, upper), lower, upper)
