"""The accurate route: singular directions of A itself, verified column by column.

Squaring A loses half of its digits; this route never forms a small eigenvalue as a difference of
large numbers. It takes approximate right singular vectors V from LAPACK, forms B = AV, and reads
certified intervals off B alone, so that nothing is assumed of LAPACK:

* for the first k columns, x ∈ span V_S has ‖Ax‖² ≥ (σ_min(B_S) − ‖ΔB_S‖)²/‖V_S‖² ‖x‖², so λ_k is
  at least that (M1);
* for the columns from k on, x ∈ span V_T has ‖Ax‖² ≤ (‖B_T‖ + ‖ΔB_T‖)²/σ_min(V_T)² ‖x‖², so λ_k is
  at most that (M1, Courant–Fischer).

B has nearly orthogonal columns, so both norms follow from scaled inner products (Gershgorin).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

from epsrank.theory.data.weighted import WeightedFeatures
from epsrank.theory.numbers.arrays import Matrix, Square
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    chunked_product,
    gram_product,
    upward,
)
from epsrank.theory.rank.enclosure import SpectrumEnclosure

_U = UNIT_ROUNDOFF["float64"]


def right_singular_vectors(matrix: Matrix) -> Square | None:
    """Return approximate right singular vectors, by QR and SVD of the triangle.

    Columns stand by descending singular value; None where no LAPACK driver converges.
    """
    n_samples, n_features = matrix.shape
    triangle = matrix
    if n_samples > n_features:
        triangle = sl.qr(matrix, mode="r", check_finite=False)[0][:n_features]
    for driver in ("gesdd", "gesvd"):
        try:
            rows = sl.svd(triangle, full_matrices=True, check_finite=False, lapack_driver=driver)[2]
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(rows).all():
            return np.asarray(rows.T)
    return None


def svd_enclosure(features: WeightedFeatures) -> SpectrumEnclosure | None:
    """Enclose the spectrum of H = AᵀA by way of the singular directions of A.

    `features` is A. Returns the enclosure, or None where LAPACK's SVD does not converge.
    """
    return directional_enclosure(features.weighted(), features.frobenius, features.entry_error)


def directional_enclosure(
    matrix: Matrix, size: float, entry_error: float = 0.0
) -> SpectrumEnclosure | None:
    """Enclose the spectrum of AᵀA for a matrix whose entries may have been rounded.

    `matrix` is A; each entry may be off by two roundings beside `entry_error`. Returns the
    enclosure, or None where LAPACK's SVD does not converge.
    """
    if size <= UNDERFLOW * 2:
        zeros = np.zeros(matrix.shape[1])
        return SpectrumEnclosure(zeros, zeros, np.full_like(zeros, upward(size * size)))
    vectors = right_singular_vectors(matrix)
    if vectors is None:
        return None
    defect = orthogonality_defect(vectors).bound
    if defect >= 0.5:
        return None
    images, g = chunked_product(matrix, vectors)
    # Each column of AV is off by the product's rounding and by that of A's own entries.
    column_error = upward((g + 4 * _U + 2 * entry_error) * size * (1 + defect) + UNDERFLOW)
    order = np.argsort(-np.einsum("ij,ij->j", images, images))
    return _enclose(np.ascontiguousarray(images[:, order]), column_error, defect)


def _enclose(images: Matrix, column_error: float, defect: float) -> SpectrumEnclosure:
    """Turn B = AV + ΔB into intervals for the eigenvalues of AᵀA.

    `images` is B, columns by descending norm.
    """
    n = images.shape[1]
    products, g = gram_product(images)
    squares = np.diag(products).copy()
    lengths = np.sqrt(squares)
    safe = np.where(lengths > 0, lengths, 1.0)
    counts = np.arange(1, n + 1)

    # First k columns: B_SᵀB_S = D C D, λ_min ≥ min d² (1 − ‖C − I‖_F).
    cosines = products / np.outer(safe, safe)
    np.fill_diagonal(cosines, 0.0)
    off = np.sqrt(2.0 * np.cumsum(np.sum(np.tril(cosines, -1) ** 2, axis=1)))
    # 1e-8 covers the sums of up to n² squares in `off`, 1e-12 below a few operations.
    inner = 1.0 - (off + counts * (g + 8 * _U)) * (1 + 1e-8)
    smallest = np.minimum.accumulate(squares) * (1 - 1e-12) - UNDERFLOW
    sigma = np.sqrt(np.maximum(smallest * inner, 0.0)) * (1 - 1e-12)
    drop = column_error * np.sqrt(counts) * (1 + 1e-12)
    lower = np.maximum(sigma - drop, 0.0) ** 2 / (1 + defect) * (1 - 1e-12)

    # Columns from k on: ‖B_TᵀB_T‖₂ is at most the largest absolute row sum. Squares of columns
    # below 2^-500 may have vanished from it: what is lost is lost before the root is taken.
    moduli = np.abs(products) + (g + 8 * _U) * np.outer(lengths, lengths)
    from_here = np.cumsum(moduli[:, ::-1], axis=1)[:, ::-1]
    row_sums = np.max(np.tril(from_here), axis=0) + 2 * n * UNDERFLOW
    rest = np.sqrt(counts[::-1])
    # 1e-10 covers the sums of n moduli.
    sigma = np.sqrt(row_sums) * (1 + 1e-10) + column_error * rest * (1 + 1e-12)
    upper = sigma**2 / (1 - defect) * (1 + 1e-12)

    # λ_k ≥ λ_{k+1}, so a better bound further down (or up) serves here too.
    lower = np.maximum.accumulate(lower[::-1])[::-1]
    upper = np.minimum.accumulate(upper)
    return SpectrumEnclosure(np.clip(squares, lower, upper), lower, upper)
