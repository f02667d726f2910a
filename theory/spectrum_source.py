"""The spectrum behind a rank: kept as what it is computed from, and computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from epsrank.theory.enclosure import SpectrumEnclosure
from epsrank.theory.inputs import Array
from epsrank.theory.rounding import UNIT_ROUNDOFF, upward
from epsrank.theory.routes.gram import gram_enclosure


@dataclass(frozen=True, eq=False)
class SpectrumSource:
    """Eigenvalues of G = scale · H, from H̃ with ‖H̃ − H‖ ≤ formed, or already enclosed.

    Attributes
    ----------
    scale : Fraction
        Positive; brings H to the units of the measure.
    gram : ndarray of float64, shape (n, n), or None
        H̃; None where `known` is given.
    formed : float
        Rounding bound of H̃.
    known : SpectrumEnclosure or None
        Enclosure of the spectrum of H, where one was made.
    move : float
        ‖A − A′‖_F ≤ move for every A′ whose entries round to those of A in their dtype.
    """

    scale: Fraction
    gram: Array | None = None
    formed: float = 0.0
    known: SpectrumEnclosure | None = None
    move: float = 0.0

    @cached_property
    def enclosure(self) -> SpectrumEnclosure:
        """Enclosure of the spectrum of H."""
        if self.known is not None:
            return self.known
        assert self.gram is not None
        return gram_enclosure(self.gram, self.formed)

    @cached_property
    def values(self) -> Array:
        """λ_1 ≥ … ≥ λ_n of G, as computed."""
        return scaled(self.enclosure.values, self.scale)

    @cached_property
    def error(self) -> float:
        """Bound on |values_k − λ_k| for every k, conversion to the measure's units included."""
        error = float(scaled(np.array([self.enclosure.error]), self.scale)[0])
        return upward(error + 8 * UNIT_ROUNDOFF["float64"] * float(self.values[0]))

    def storage(self, eps: float, relative: bool, found: tuple[int, int]) -> tuple[int, int]:
        """Return the interval of the count over all matrices that round to the one given (C2).

        |σ_k(A) − σ_k(A′)| ≤ ‖A − A′‖_F.

        Parameters
        ----------
        eps : float
            ε.
        relative : bool
            Whether the threshold is ε·λ_1.
        found : tuple of (int, int)
            Bounds of the count for the numbers given.

        Returns
        -------
        tuple of (int, int)
            Ends; they enclose `found`.
        """
        if self.move == 0:
            return found
        best = self.enclosure
        lower = np.maximum(np.sqrt(best.lower) * (1 - 1e-15) - self.move, 0.0) ** 2 * (1 - 1e-15)
        upper = (np.sqrt(best.upper) * (1 + 1e-15) + self.move) ** 2 * (1 + 1e-15)
        below = above = Fraction(eps) / self.scale
        if relative:
            below = Fraction(eps) * Fraction(float(lower[0]))
            above = Fraction(eps) * Fraction(float(upper[0]))
        least, most = SpectrumEnclosure(best.values, lower, upper).count(below, above)
        return min(least, found[0]), max(most, found[1])


def scaled(values: Array, scale: Fraction) -> Array:
    """Return values · scale, cut at the largest float64 instead of overflowing.

    Parameters
    ----------
    values : ndarray of float64
        Numbers ≥ 0.
    scale : Fraction
        Positive, of any magnitude.

    Returns
    -------
    ndarray of float64
        The products, to a few ulps.
    """
    shift = scale.numerator.bit_length() - scale.denominator.bit_length()
    factor = float(scale / Fraction(2) ** shift)
    with np.errstate(over="ignore", under="ignore"):
        product = np.ldexp(np.asarray(values, dtype=np.float64) * factor, shift)
    return np.asarray(np.minimum(product, np.finfo(np.float64).max))


def scaled_float(value: float, scale: Fraction) -> float:
    """Return value · scale rounded upward, cut at the largest float64.

    Parameters
    ----------
    value : float
        Number ≥ 0.
    scale : Fraction
        Positive.

    Returns
    -------
    float
        An upper bound of the product wherever it is below the largest float64.
    """
    largest = float(np.finfo(np.float64).max)
    return min(upward(float(scaled(np.array([value]), scale)[0])), largest)
