"""One count from a Gram matrix by factorisations alone, the one that is likely to decide first."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from epsrank.theory.numbers.arrays import Square
from epsrank.theory.numbers.dyadic import float_above, float_below
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.problem import gap_reason
from epsrank.theory.rank.routes.foresight import STRIDE, Foresight, foresee
from epsrank.theory.rank.routes.gram import live_part
from epsrank.theory.rank.routes.inertia import inertia_bounds
from epsrank.theory.rank.routes.shortcuts import FULL, all_above, low_rank_enclosure

# Share of the columns up to which the eigenvalues of a small matrix cost less than two LDLᵀ
# factorisations; and of the neurons looked at, among whom it can be larger.
_FEW_COLUMNS = 0.2
_FEW_PIVOTS = 0.375


def factorised_count(
    matrix: Square, error: float, below: Fraction, above: Fraction
) -> Decision | None:
    """Count #{k : λ_k(H) > θ} for every H with ‖H̃ − H‖₂ ≤ t, without an eigenvalue.

    Cholesky where G − θI may be positive definite, pivoted Cholesky where few columns may do, and
    inertia. Which of the first two is tried is a guess from a quarter of the neurons; the
    certificates do not depend on it.

    `matrix` is H̃, symmetric; `error` is t. The route that is named is ``"cholesky"``,
    ``"low-rank"`` or ``"inertia"``; None where none of them gives one number.
    """
    low, high = float_below(below), float_above(above)
    if not 0 < low <= high < np.inf:
        return None
    n_features = matrix.shape[0]
    if error < low:  # so that eigenvalues 0 of H̃ are none above θ of H
        matrix = live_part(matrix)
    n = matrix.shape[0]
    outlook = foresee_gram(matrix, low)
    if outlook.full(high) and all_above(matrix, error, high):
        reason = FULL
        if dead := n_features - n:
            reason = f"{reason}, except for {dead} dead neurons"
        return Decision(n, n, "cholesky", reason)
    if outlook.low(_FEW_PIVOTS):
        few = low_rank_enclosure(matrix, error, low, _FEW_COLUMNS)
        if few is not None:
            lower, upper = few.count(below, above)
            if lower == upper:
                return Decision(lower, upper, "low-rank", gap_reason(few, lower, below))
    bounds = inertia_bounds(matrix, error, low, high)
    if bounds is None or bounds[0] != bounds[1]:
        return None
    return Decision(*bounds, "inertia", "inertia of G − εI by LDLᵀ, rounding included")


def foresee_gram(matrix: Square, threshold: float) -> Foresight:
    """Look at a quarter of the neurons of a Gram matrix."""
    return foresee(matrix[::STRIDE, ::STRIDE], matrix.shape[0], threshold)
