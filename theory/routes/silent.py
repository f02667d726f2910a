"""Neurons that are silent, and what they can add to a count: nothing.

Let A = (A_c, A_s) by columns, with ‖A_s‖_F² ≤ τ. AAᵀ = A_cA_cᵀ + A_sA_sᵀ has the eigenvalues of
AᵀA but for zeros, so by Loewner and Weyl (M4, M7)

    λ_k(A_cᵀA_c) ≤ λ_k(AᵀA) ≤ λ_k(A_cᵀA_c) + τ,

and #{k : λ_k(AᵀA) > θ} lies between the counts of A_cᵀA_c above θ and above θ − τ. Half of the
neurons of a ReLU layer may be dead; the others are a quarter of the work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.inputs import Array
from epsrank.theory.rounding import UNDERFLOW, gamma, upward

# Samples from which candidates are chosen.
_LOOK = 64

# Rows that a cache holds as float64.
_ROWS = 64

# Share of neurons from which leaving them out pays for copying the others.
_PAYS = 1 / 8

# Largest τ as a share of the threshold: an eigenvalue that close to it makes the work useless.
_SHARE = 1e-3


@dataclass(frozen=True, eq=False)
class Audible:
    """The neurons that are left, and what the others have.

    Attributes
    ----------
    matrix : ndarray of float64, float32 or float16, shape (N, m)
        Their features.
    left_out : int
        Number of silent neurons, n − m.
    energy : float
        τ ≥ ‖A_s‖_F².
    """

    matrix: NDArray[Any]
    left_out: int
    energy: float

    def lowered(self, threshold: float) -> float:
        """Return θ − τ, rounded downward.

        Parameters
        ----------
        threshold : float
            θ > τ.

        Returns
        -------
        float
            The threshold above which A_cᵀA_c has at least as many eigenvalues as AᵀA above θ.
        """
        return math.nextafter(threshold - self.energy, 0.0)


def without_silent(matrix: NDArray[Any], roots: Array | None, threshold: float) -> Audible | None:
    """Leave out neurons that are silent next to a threshold, if there are many.

    Parameters
    ----------
    matrix : ndarray of float64, float32 or float16, shape (N, n)
        M, of A = diag(f) M.
    roots : ndarray of float64, shape (N,), optional
        f, in place of 1.
    threshold : float
        The least threshold θ of interest for the eigenvalues of AᵀA.

    Returns
    -------
    Audible or None
        The others; None where too few are silent to be worth it.
    """
    n_samples, n_features = matrix.shape
    step = max(n_samples // _LOOK, 1)
    seen = _energies(matrix[::step], None if roots is None else roots[::step])
    if np.count_nonzero(seen * step <= _SHARE * threshold) < _PAYS * n_features:
        return None
    energies = _energies(matrix, roots)
    order = np.argsort(energies)
    # Sums of N + n squares; the factors carry four roundings each (`gram_product`).
    total = np.cumsum(energies[order]) * (1 + 2 * gamma(n_samples + n_features + 20)) + UNDERFLOW
    count = int(np.count_nonzero(total <= _SHARE * threshold))
    if count < _PAYS * n_features:
        return None
    kept = np.sort(order[count:])
    return Audible(np.take(matrix, kept, axis=1), count, upward(float(total[count - 1])))


def _energies(matrix: NDArray[Any], roots: Array | None) -> Array:
    """Return ‖a_j‖² of every column, as computed."""
    total = np.zeros(matrix.shape[1])
    for start in range(0, len(matrix), _ROWS):
        block = np.asarray(matrix[start : start + _ROWS], dtype=np.float64)
        if roots is not None:
            block = block * roots[start : start + _ROWS, None]
        with np.errstate(over="ignore", under="ignore"):
            total += np.einsum("ij,ij->j", block, block)
    return total
