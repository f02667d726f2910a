"""A free bias: V(B) = min_{‖W‖_F ≤ B, b} ‖φ·W + D b − u*‖², with b unpenalised (F6).

For every W the best b projects the residual off span D, so that V is that of features and target
with span D projected off. For the constant D = 1 both are centred, and shifts of either change
nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.weighting import WeightedProblem, weighted_problem
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, chunked_product, gamma, upward
from epsrank.theory.numbers.scaled import frobenius

_U = UNIT_ROUNDOFF["float64"]

# Free directions that agree to this share of the largest are one.
_SAME_DIRECTION = 1e-12


def centred_problem(
    features: Features, target: Matrix, measure: Measure, free: Matrix | None = None
) -> WeightedProblem:
    """Return the weighted problem with the free directions D (1 by default) projected off."""
    given, goal = features, target
    lost = 2 * _U if features.rounded else 0.0
    if free is None:
        free = np.ones((features.n_samples, 1))
        # Any shift leaves span(φ, 1) what it is, so a computed mean is as good as the true one; it
        # takes away the large numbers, before which the products below would round.
        given = replace(features, given=_shifted(features.values, measure.weights), exact=True)
        goal = _shifted(target, measure.weights)
        lost = 2 * _U * features.rounded
    problem = weighted_problem(given, goal, measure)
    basis, turn = _basis(free, measure.row_factors())
    matrix, left_matrix = _projected(problem.matrix, basis, turn)
    vector, left_target = _projected(problem.target, basis, turn)
    if lost:
        whole = weighted_problem(features, target, measure)
        shift = whole.feature_exponent - problem.feature_exponent
        left_matrix += lost * float(np.ldexp(frobenius(whole.matrix), shift))
    return replace(
        problem,
        matrix=matrix,
        target=vector,
        matrix_error=upward(left_matrix),
        target_error=upward(left_target),
    )


def _shifted(values: Array, weights: Vector | None) -> Array:
    """Return values less their mean over the samples."""
    with np.errstate(over="ignore", invalid="ignore"):
        if weights is None:
            mean = values.mean(axis=0)
        else:
            mean = (weights / weights.max()) @ values / float(np.sum(weights / weights.max()))
        moved = values - mean
    if not np.isfinite(moved).all():
        raise InputError("features", "have a mean beyond float64", "rescale them")
    return np.asarray(moved)


def _basis(free: Matrix, factors: Vector) -> tuple[Matrix, float]:
    """Return an orthonormal basis of diag(f)·D, and a bound on how far rounding turned it."""
    if not np.isfinite(free).all():
        raise InputError("constant", "has NaN or infinite entries", "pass finite numbers")
    weighted = factors[:, None] * free
    sizes = np.sqrt(np.einsum("ij,ij->j", weighted, weighted))
    kept = sizes > 0
    if not kept.any():
        return np.zeros((len(free), 0)), 0.0
    # Columns of one size: only their angles matter for what rounding does.
    left, sigma, _ = np.linalg.svd(weighted[:, kept] / sizes[kept], full_matrices=False)
    resolved = sigma > _SAME_DIRECTION * sigma[0]
    basis = np.ascontiguousarray(left[:, resolved])
    # Nothing is assumed of LAPACK: what is left of D outside the basis is measured.
    scaled = weighted[:, kept] / sizes[kept]
    parts, g = chunked_product(np.ascontiguousarray(basis.T), scaled)
    size = frobenius(scaled)
    outside = frobenius(scaled - basis @ parts) + (2 * g + gamma(basis.shape[1] + 8)) * size
    return basis, outside / float(sigma[resolved][-1]) + orthogonality_defect(basis).bound


def _projected(matrix: Array, basis: Array, turn: float) -> tuple[Array, float]:
    """Return A − E(EᵀA), and a bound on its distance from the exact projection."""
    size = frobenius(matrix)
    parts, g = chunked_product(np.ascontiguousarray(basis.T), matrix)
    left = matrix - basis @ parts
    root = float(np.sqrt(basis.shape[1]))
    # The products round relative to what is projected off, the difference to its operands; a basis
    # that is turned by t moves the projection by 2t.
    error = (g * root + gamma(basis.shape[1] + 2)) * root * size + 2 * turn * size + _U * size
    return np.asarray(left), error
