"""Features and target as one least-squares problem: A = diag(√(w/c)) Φ and y = diag(√(w/c)) u*."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.scaled import (
    _scaled_rows,
    frobenius,
    subtract_scaled,
    times_power_of_two,
)


@dataclass(frozen=True, eq=False)
class WeightedProblem:
    """‖φ·W − u*‖² = ‖A W − y‖_F², with A and y kept as 2^exponent times a matrix of size 1.

    The exact powers of two keep features and targets of any float64 size away from overflow and
    underflow: squares of 1e±200 are never formed.
    """

    #: A · 2^(−feature_exponent); its largest modulus lies in [1/4, 1), or it is zero.
    matrix: Matrix = field(repr=False)
    #: y · 2^(−target_exponent); likewise.
    target: Matrix = field(repr=False)
    #: The powers of two.
    feature_exponent: int
    target_exponent: int
    #: The measure μ.
    measure: Measure
    #: Type of the features as given.
    dtype: str
    #: What steps beyond the weighting left undecided of the matrix and the target, scaled norms.
    matrix_error: float = 0.0
    target_error: float = 0.0


def weighted_problem(features: Features, target: Matrix, measure: Measure) -> WeightedProblem:
    """Form A = diag(√(w/c)) Φ and y = diag(√(w/c)) u*, each scaled by a power of two.

    Every entry carries a relative error of at most 5 u (the root of the weight, the root of c,
    their quotient, the product, and the rounding of integers beyond 2⁵³).
    """
    factors = measure.row_factors()
    matrix, feature_exponent = _scaled_rows(factors, features.values)
    scaled_target, target_exponent = _scaled_rows(factors, target)
    return WeightedProblem(
        matrix, scaled_target, feature_exponent, target_exponent, measure, features.dtype
    )


def residual_norm(problem: WeightedProblem, coefficients: Matrix) -> float:
    """Return ‖A W − y‖_F = √loss, computed from the data and not from a decomposition.

    W is in the units of the caller.
    """
    largest = float(np.max(np.abs(coefficients), initial=0.0))
    shift = int(np.frexp(largest)[1])
    product = problem.matrix @ np.ldexp(coefficients, -shift)
    difference, exponent = subtract_scaled(
        product, problem.feature_exponent + shift, problem.target, problem.target_exponent
    )
    return times_power_of_two(frobenius(difference), exponent)
