"""Singular value decomposition by the first LAPACK driver that works, and its measured error."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import gamma, upward
from epsrank.theory.numbers.scaled import frobenius


def singular_value_decomposition(matrix: Matrix) -> tuple[Array, Array, Array]:
    """Return U (N×q), σ (q), Q (n×q) of A = U diag(σ) Qᵀ with q = min(N, n).

    The first driver that converges is used. Tall matrices are first reduced to the triangle of a
    QR factorisation.

    σ is in descending order.
    """
    if matrix.shape[0] < matrix.shape[1]:
        right, sigma, left = singular_value_decomposition(np.ascontiguousarray(matrix.T))
        return left, sigma, right
    reduced, orthogonal = matrix, None
    if matrix.shape[0] > matrix.shape[1]:
        orthogonal, reduced = scipy.linalg.qr(matrix, mode="economic", check_finite=False)
    # A driver that fails on a matrix may manage its transpose.
    for transposed in (False, True):
        for driver in ("gesdd", "gesvd"):
            try:
                left, sigma, right = scipy.linalg.svd(
                    reduced.T if transposed else reduced,
                    full_matrices=False,
                    check_finite=False,
                    lapack_driver=driver,
                )
            except np.linalg.LinAlgError:
                continue
            if not (np.isfinite(sigma).all() and np.isfinite(left).all()):
                continue
            if transposed:
                left, right = right.T, left.T
            if orthogonal is not None:
                left = orthogonal @ left
            return left, sigma, np.ascontiguousarray(right.T)
    raise InputError(
        "features",
        f"of shape {matrix.shape} have an SVD that neither gesdd nor gesvd could compute",
        "pass moments (epsrank.theory.floor.decomposed.moments) or another LAPACK build",
    )


def backward_error(
    matrix: Matrix, left: Matrix, sigma: Vector, right: Matrix
) -> tuple[float, float, float]:
    """Measure how far a computed decomposition is from one with orthonormal factors.

    With Ũ, Ṽ the polar factors of the computed U, Q and δ_U, δ_Q their defects ‖UᵀU − I‖:
    ‖A − Ũ Σ Ṽᵀ‖ ≤ ‖A − U Σ Qᵀ‖ + σ_1 (δ_U + δ_Q + δ_U δ_Q). Nothing is assumed of LAPACK.

    The three numbers are a bound on ‖A − Ũ Σ Ṽᵀ‖₂, rounding of the measurement included; the noise
    level of σ, which is the same as measured; and a bound on δ_U.
    """
    defect_left, measured_left, _ = orthogonality_defect(left)
    defect_right, measured_right, _ = orthogonality_defect(right)
    scaled = left * sigma
    measured = frobenius(matrix - scaled @ right.T)
    size = frobenius(scaled)
    product_error = gamma(sigma.size + 2) * (size * frobenius(right) + frobenius(matrix))
    largest = float(np.max(sigma, initial=0.0))
    bound = upward(
        measured
        + product_error
        + largest * (defect_left + defect_right + defect_left * defect_right)
    )
    # What rounding actually left behind; a σ below it may be an exact zero.
    noise = 2 * measured + largest * (measured_left + measured_right)
    return bound, noise, defect_left
