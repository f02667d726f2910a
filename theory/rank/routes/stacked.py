"""The Gram route for many matrices of one order: the bound of `gram`, NumPy calls for all at once.

For each H_i the eigenvectors are checked as in `gram.symmetric_spectrum`, by the same formula; only
norms are summed in another way, as ‖X‖_F² ≤ s(1 + 2γ_k) for a computed sum s of k squares. Squares
below 2^-1000 may vanish from it, k of them with the root √k·2^-500.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, gamma
from epsrank.theory.rank.enclosure import SpectrumEnclosure

_U = UNIT_ROUNDOFF["float64"]

# As `rounding.upward`, for arrays.
_SLACK = 1.0 + 2.0**-30


@dataclass(frozen=True, eq=False)
class StackedSpectra:
    """Enclosures of the spectra of m matrices of order n, arrays of shape (m, n), descending."""

    #: λ_k as computed, clipped at 0.
    values: Array
    #: Certified ends.
    lower: Array
    upper: Array

    def enclosure(self, index: int) -> SpectrumEnclosure:
        """Return the enclosure of one spectrum."""
        return SpectrumEnclosure(self.values[index], self.lower[index], self.upper[index])

    @classmethod
    def joined(cls, parts: Sequence[StackedSpectra]) -> StackedSpectra:
        """Put stacks one after another."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.lower for part in parts]),
            np.concatenate([part.upper for part in parts]),
        )


def all_above_each(grams: Array, formed: Vector, threshold: float) -> NDArray[np.bool_]:
    """Certify λ_n(H_i) > θ for all H_i with ‖H̃_i − H_i‖ ≤ t_i by Cholesky, as `all_above` does."""
    n = grams.shape[1]
    factor = gamma(n + 1)
    diagonals = grams.diagonal(axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        margins = _up(formed + (factor / (1 - factor) + 2 * _U) * _up(diagonals.sum(axis=1)))
        shifts = _up(threshold + margins)
        # λ_n is at most the least diagonal entry: no factorisation is needed to fail.
        likely = np.flatnonzero(diagonals.min(axis=1) > shifts)
    above = np.zeros(len(grams), dtype=np.bool_)
    shifted = grams[likely]
    shifted.reshape(len(likely), n * n)[:, :: n + 1] -= shifts[likely, None]
    for index, matrix in zip(likely.tolist(), shifted, strict=True):
        # The transpose of a symmetric matrix by rows is the one by columns that LAPACK wants.
        above[index] = lapack.dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)[1] == 0
    return above


def stacked_spectra(grams: Array, formed: Vector) -> StackedSpectra:
    """Enclose the spectra of all H_i with ‖H̃_i − H_i‖ ≤ t_i; H̃ has the shape (m, n, n)."""
    values, solved = stacked_eigenvalues(grams)
    error = _up(formed + solved)[:, None]
    descending = values[:, ::-1]
    # One step outward covers the rounding of the sum.
    lower = np.nextafter(descending - error, -np.inf)
    upper = np.nextafter(descending + error, np.inf)
    return StackedSpectra(
        np.maximum(descending, 0.0), np.maximum(lower, 0.0), np.maximum(upper, 0.0)
    )


def stacked_eigenvalues(grams: Array) -> tuple[Array, Vector]:
    """Return eigenvalues, ascending, and for each matrix a bound on their errors (M7).

    ∞ where LAPACK gives nothing usable.
    """
    m, n = grams.shape[:2]
    if m == 0:
        return np.zeros((0, n)), np.zeros(0)
    try:
        values, vectors = np.linalg.eigh(grams)
    except np.linalg.LinAlgError:  # for all of them, if one of them does not converge
        return np.zeros((m, n)), np.full(m, math.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        size = _norms(grams)
        moduli = np.abs(vectors)
        norm_squared = _up(
            np.minimum(
                moduli.sum(axis=1).max(axis=1) * moduli.sum(axis=2).max(axis=1),
                _norms(vectors) ** 2,
            )
        )
        overlaps = np.matmul(vectors.transpose(0, 2, 1), vectors)
        overlaps.reshape(m, n * n)[:, :: n + 1] -= 1.0
        g = gamma(n + 1)
        # 2u, for the subtraction of 1 rounds as well.
        defect = _up(_norms(overlaps) * (1 + 2 * _U) + (g + 2 * _U) * norm_squared)
        scaled = vectors * values[:, None, :]
        product = np.matmul(grams, vectors)
        product -= scaled
        residual = _up(
            _norms(product) * (1 + 2 * _U)
            + 2 * _U * _norms(scaled)
            + g * size * np.sqrt(norm_squared)
        )
        largest = np.abs(values).max(axis=1)
        good = defect < 0.5  # NaN is not
        error = _up(
            (2 * defect * largest + residual) / np.sqrt(1 - np.where(good, defect, 0.0)) + UNDERFLOW
        )
        # Whatever the residual is: |λ_k| ≤ ‖H‖_F, and the computed one is known.
        error = np.minimum(error, _up(size + largest))
        good &= np.isfinite(error)
    return np.where(good[:, None], values, 0.0), np.where(good, error, math.inf)


def _norms(matrices: Array) -> Vector:
    """Return upper bounds of ‖X_i‖_F."""
    count = matrices.shape[1] * matrices.shape[2]
    squares = np.einsum("ijk,ijk->i", matrices, matrices)
    found: Vector = _up(np.sqrt(squares * (1 + 2 * gamma(count))) + math.sqrt(count) * 2.0**-500)
    return found


def _up(values: Array) -> Array:
    """Round upward, as `rounding.upward` does."""
    return np.asarray(values * _SLACK)
