"""One Gram matrix that is known to an error bound: its spectrum once, and as many counts as wanted.

The sibling of `RankProblem` for a matrix without its features, such as one that was summed over
batches. No integer arithmetic: what float64 and the matrix's own error leave open stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np

from epsrank.theory.decision import Decision, gap_reason
from epsrank.theory.dyadic import float_above, power_of_two
from epsrank.theory.enclosure import SpectrumEnclosure
from epsrank.theory.errors import InputError
from epsrank.theory.factorised_count import factorised_count
from epsrank.theory.inputs import Array, as_eps, as_matrix_argument
from epsrank.theory.rounding import UNDERFLOW, upward
from epsrank.theory.routes.gram import gram_enclosure
from epsrank.theory.spectrum_source import scaled, scaled_float
from epsrank.theory.weighted import scaling_exponent

# From this width on, and up to this many thresholds, factorisations spare the eigenvalues.
_WIDE = 64
_FEW = 2


class GramProblem:
    """Certified counts #{k : λ_k(G) > ε} for every G with ‖G̃ − G‖₂ ≤ t  (D1 with M7).

    Parameters
    ----------
    gram : ndarray of float64, shape (n, n)
        G̃, exactly symmetric.
    error : float
        t ≥ 0.

    Raises
    ------
    InputError
        If the matrix is not square, symmetric and finite, or t is not a number ≥ 0.
    """

    def __init__(self, gram: Array, error: float) -> None:
        matrix = as_matrix_argument(gram, "gram")
        if not np.array_equal(matrix, matrix.T):
            raise InputError("gram", "is not symmetric", "pass (G + Gᵀ)/2 and count the change")
        if not error >= 0:
            raise InputError("gram_error", f"is {error!r}", "pass a bound ≥ 0 on ‖G̃ − G‖₂")
        shift = scaling_exponent(float(np.abs(matrix).max()))
        self.scale = power_of_two(-shift)
        self.error = float(error)
        if shift and np.isfinite(self.error):
            matrix = np.ldexp(matrix, shift)
            self.error = upward(float_above(Fraction(error) / self.scale) + UNDERFLOW)
        self.matrix: Array = matrix
        self.n_features = int(matrix.shape[0])

    @cached_property
    def enclosure(self) -> SpectrumEnclosure:
        """Certified intervals of the eigenvalues of G / scale."""
        return gram_enclosure(self.matrix, self.error)

    @property
    def spectrum(self) -> Array:
        """λ_1 ≥ … ≥ λ_n of G as computed, clipped at 0."""
        return scaled(self.enclosure.values, self.scale)

    @property
    def spectrum_error(self) -> float:
        """|spectrum_k − λ_k| ≤ spectrum_error for every k."""
        return scaled_float(self.enclosure.error, self.scale)

    def decide_all(
        self, eps: Sequence[float], *, relative: bool = False, counts_only: bool = False
    ) -> list[Decision]:
        """Decide several thresholds, from one spectrum or, for wide matrices, from none.

        Parameters
        ----------
        eps : sequence of float
            Thresholds, each > 0.
        relative : bool
            Thresholds ε·λ_1.
        counts_only : bool
            Whether nothing else is wanted of the spectrum, so that factorisations may spare it.

        Returns
        -------
        list of Decision
            One for each threshold, in the order given.
        """
        thresholds = [as_eps(value) for value in eps]
        fast = (
            counts_only
            and not relative
            and self.n_features >= _WIDE
            and len(thresholds) <= _FEW
            and "enclosure" not in self.__dict__
        )
        return [self._decide(value, relative, fast) for value in thresholds]

    def _decide(self, eps: float, relative: bool, fast: bool) -> Decision:
        """Decide one threshold."""
        if not np.isfinite(self.error):
            return Decision(0, self.n_features, "gram", "the matrix has no finite error bound")
        below = above = Fraction(eps)
        if not relative:
            below = above = Fraction(eps) / self.scale
        if fast:
            spared = factorised_count(self.matrix, self.error, below, above)
            if spared is not None:
                return spared
        best = self.enclosure
        if relative:
            below, above = below * Fraction(best.lower[0]), above * Fraction(best.upper[0])
        lower, upper = best.count(below, above)
        if lower == upper:
            return Decision(lower, upper, "gram", gap_reason(best, lower, below, relative))
        reason = (
            f"eigenvalues {lower + 1} to {upper} lie within the error bound {best.error:.1e} of "
            "the threshold"
        )
        return Decision(lower, upper, "gram", reason)
