"""The weighted feature matrix A = diag(√w) Φ, scaled so that nothing over- or underflows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.numbers.dyadic import power_of_two
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, frobenius, upward
from epsrank.theory.numbers.scaled import scaled_entries

# Fourth powers of numbers up to 2^±100, which norms of a Gram matrix take, stay in range.
_SAFE_EXPONENT = 100

# Roots of weights that may be rounded to fewer digits are below this.
_LEAST_ROOT = 2.0**-500


@dataclass(frozen=True, eq=False)
class WeightedFeatures:
    """A = diag(√w) Φ up to powers of two, with what it takes to come back.

    The Gram matrix in the measure is  G = scale · H  with H = AᵀA for the exact A; the float64
    arrays here give A to within `entry_error` per entry beside the roundings of √w.
    """

    #: Φ · 2^s; diag(√w) Φ · 2^s where that had to be formed entry by entry.
    matrix: Matrix
    #: √(w · 4^t), rounded; None for unit weights.
    roots: Vector | None
    #: 4^{-s-t} / c, exactly.
    scale: Fraction
    #: s.
    shift: int
    #: Relative error of each entry of `matrix`: 0 unless integers beyond 2⁵³ were rounded, or
    #: weights multiplied in.
    entry_error: float
    #: What was given.
    features: Features
    #: The measure of G.
    measure: Measure

    def weighted(self) -> Matrix:
        """Return diag(roots) · matrix, each entry rounded at most twice."""
        return self.matrix if self.roots is None else self.matrix * self.roots[:, None]

    @property
    def frobenius(self) -> float:
        """Upper bound of ‖A‖_F."""
        return upward(frobenius(self.weighted()) * (1 + 4 * UNIT_ROUNDOFF["float64"]) + UNDERFLOW)


def scaling_exponent(largest: float) -> int:
    """Return s such that largest · 2^s is near 1, or 0 where no scaling is needed."""
    exponent = math.frexp(largest)[1]
    return 0 if largest == 0 or abs(exponent) <= _SAFE_EXPONENT else -exponent


def weight_roots(measure: Measure) -> tuple[Vector | None, int]:
    """Return the rounded √(w · 4^t) with t, which keeps them in a safe range.

    None and 0 for unit weights.
    """
    if measure.weights is None:
        return None, 0
    shift = scaling_exponent(float(measure.weights.max())) // 2
    # The root first: what is scaled has half of the exponent, and no weight is lost.
    return np.ldexp(np.sqrt(measure.weights), shift), shift


def far_apart(roots: Vector | None) -> bool:
    """Return whether roots of weights differ so much that some have lost digits."""
    return roots is not None and bool(((roots > 0) & (roots < _LEAST_ROOT)).any())


def weighted_features(
    features: Features, measure: Measure, *, rescale: bool = True
) -> WeightedFeatures:
    """Scale features and weights by powers of two into the safe range of float64.

    Without `rescale` the features stay as they are, which spares two passes over them where the
    caller will notice an overflow.
    """
    matrix = features.values
    rounded = UNIT_ROUNDOFF["float64"] if features.rounded else 0.0
    if rescale and measure.weights is not None:
        # What counts is the size of the products: a weight may vanish where features are enormous.
        matrix, exponent = scaled_entries(np.sqrt(measure.weights), matrix)
        return WeightedFeatures(
            matrix=matrix,
            roots=None,
            shift=-exponent,
            scale=power_of_two(2 * exponent) / measure.normaliser,
            entry_error=rounded + 2 * UNIT_ROUNDOFF["float64"],
            features=features,
            measure=measure,
        )
    # Not max |Φ|, which would copy the features.
    shift = scaling_exponent(max(float(matrix.max()), -float(matrix.min()))) if rescale else 0
    if shift:
        matrix = np.ldexp(matrix, shift)
    roots, weight_shift = weight_roots(measure)
    return WeightedFeatures(
        matrix=matrix,
        roots=roots,
        shift=shift,
        scale=power_of_two(-2 * (shift + weight_shift)) / measure.normaliser,
        entry_error=rounded,
        features=features,
        measure=measure,
    )
