"""The fast route: a float64 Gram matrix, its eigenvalues, and what rounding did to both."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg as sl
from scipy.linalg import blas, lapack

from epsrank.theory.data.weighted import WeightedFeatures
from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    chunked_product,
    frobenius,
    gamma,
    gram_product,
    upward,
)
from epsrank.theory.rank.enclosure import SpectrumEnclosure, from_error

_U = UNIT_ROUNDOFF["float64"]

# Share of dead neurons from which a smaller matrix pays for being copied.
_DEAD_PAYS = 0.05


def eigenpairs(matrix: Square) -> tuple[Array, Array] | None:
    """Return eigenvalues and eigenvectors by the first LAPACK driver that converges, else None."""
    # The transpose of a symmetric array by rows is the array by columns that LAPACK wants.
    values, vectors, info = lapack.dsyevd(matrix.T, lower=1)
    if info == 0 and _finite(values, vectors):
        return values, vectors
    for driver in ("ev", "evr"):
        try:
            values, vectors = sl.eigh(matrix, driver=driver, check_finite=False)
        except np.linalg.LinAlgError:
            continue
        if _finite(values, vectors):
            return values, vectors
    return None


def _finite(values: Array, vectors: Array) -> bool:
    # The sum of their squares is n, where they are what they should be.
    flat = vectors.ravel("K")
    return bool(np.isfinite(values).all()) and math.isfinite(blas.ddot(flat, flat))


def symmetric_spectrum(matrix: Square) -> tuple[Vector, float]:
    """Return eigenvalues of a float64 matrix with a certified bound on their error.

    For any computed Q, Λ let F = QᵀQ − I and R = HQ − QΛ. If ‖F‖ ≤ f < 1, then with the polar
    factor U of Q, UᵀHU = Λ + E and ‖E‖ ≤ (2f‖Λ‖ + ‖R‖)/√(1−f), so by Weyl (M7) every eigenvalue is
    known to within ‖E‖. F and R are evaluated here with their own rounding: nothing is assumed of
    LAPACK.

    `matrix` is H, symmetric, taken as exact. Returns the computed eigenvalues, ascending, and
    a bound (‖H‖_F where no driver converges).
    """
    size = frobenius(matrix)
    pairs = eigenpairs(matrix)
    if pairs is None:
        return np.zeros(matrix.shape[0]), size
    values, vectors = pairs
    defect, _, q_norm_squared = orthogonality_defect(vectors)
    if defect >= 0.5:
        return np.zeros(matrix.shape[0]), size
    product, g = chunked_product(matrix, vectors)
    scaled = vectors * values
    residual = upward(
        frobenius(product - scaled) * (1 + 2 * _U)
        + 2 * _U * frobenius(scaled)
        + g * size * math.sqrt(q_norm_squared)
    )
    largest = float(np.abs(values).max())
    error = upward((2 * defect * largest + residual) / math.sqrt(1 - defect) + UNDERFLOW)
    # Whatever the residual is: |λ_k| ≤ ‖H‖_F, and the computed one is known.
    return values, min(error, upward(size + largest))


def form_gram(features: WeightedFeatures) -> tuple[Square, float]:
    """Form H̃ ≈ AᵀA in float64 with a bound on what rounding did (C2).

    `features` is A. Returns H̃ and t ≥ ‖H̃ − AᵀA‖₂: the noise floor, below which this route
    resolves no threshold.
    """
    product, g = gram_product(features.matrix, features.roots)
    if features.entry_error:
        # An entry may be off by 3 u, and each product has two: 6 u and terms of second order.
        g = upward(g + 3 * gamma(3))
    return product, formed_error(float(product.trace()), g)


def formed_error(trace: float, g: float) -> float:
    """Bound ‖H̃ − AᵀA‖₂ from the trace of H̃ and |H̃ − AᵀA|_ij ≤ g ‖a_i‖‖a_j‖."""
    # The matrix of all ‖a_i‖‖a_j‖ has rank 1 and the norm Σ‖a_i‖² = tr AᵀA.
    return upward(g * upward(trace / (1 - g)) + UNDERFLOW)


def in_range(trace: float) -> bool:
    """Whether squares of the entries of a Gram matrix neither overflow nor underflow."""
    # Norms square entries of G once more: 2^±800 is still far from both ends of float64.
    return 2.0**-400 < trace < 2.0**400


def gram_enclosure(gram: Square, formed: float) -> SpectrumEnclosure:
    """Enclose the spectrum of H by way of its float64 Gram matrix."""
    alive = live_part(gram)
    values, solved = symmetric_spectrum(alive)
    if alive is not gram:
        values = np.concatenate([np.zeros(len(gram) - len(alive)), values])
    return from_error(values, upward(formed + solved))


def live_part(gram: Square) -> Square:
    """Leave out neurons that are zero at every sample: they add eigenvalues 0 and nothing else."""
    # A zero on the diagonal of a Gram matrix comes with a row of zeros, which is what counts.
    if gram.diagonal().all():
        return gram
    silent = np.flatnonzero(gram.diagonal() == 0)
    if len(silent) < _DEAD_PAYS * len(gram) or len(silent) == len(gram) or gram[silent].any():
        return gram
    alive = np.flatnonzero(np.diagonal(gram))
    return gram[np.ix_(alive, alive)]
