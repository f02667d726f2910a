"""All eigenvalues above a threshold, from some of the samples.

H = AᵀA is the sum of a_i a_iᵀ over the samples, each positive semidefinite. With a subset S of them
H ⪰ H_S, so λ_n(H) ≥ λ_n(H_S) (M1), and λ_n(H_S) > θ settles that no eigenvalue is below θ. Full
rank shows in little more than n samples, where N ≫ n are given.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.inputs import Array
from epsrank.theory.rounding import UNDERFLOW, gram_product, upward
from epsrank.theory.routes.foresight import STRIDE, Foresight, foresee
from epsrank.theory.routes.shortcuts import all_above

# Samples per neuron: at 1 the smallest eigenvalue of random features is close to 0.
_PER_NEURON = 1.5

# With less than this many times as many samples, the Gram matrix of all of them is as good.
_PAYS = 1.5


def look(matrix: NDArray[Any], roots: Array | None, threshold: float) -> Foresight:
    """Look at a quarter of the neurons on as many samples as that takes.

    Parameters
    ----------
    matrix : ndarray of float64, float32 or float16, shape (N, n)
        M, of A = diag(f) M.
    roots : ndarray of float64, shape (N,), optional
        f, in place of 1.
    threshold : float
        The least threshold of interest for the eigenvalues of AᵀA.

    Returns
    -------
    Foresight
        What to expect of AᵀA.
    """
    n_samples, n_features = matrix.shape
    quarter = matrix[:, ::STRIDE]
    rows = _spread(n_samples, int(_PER_NEURON * quarter.shape[1]) + 1)
    gram, _ = gram_of_rows(quarter[rows], None if roots is None else roots[rows])
    gram *= n_samples / len(range(n_samples)[rows])
    return foresee(gram, n_features, threshold)


def full_on_some_samples(
    matrix: NDArray[Any], roots: Array | None, threshold: float, outlook: Foresight
) -> int | None:
    """Certify λ_n(AᵀA) > θ, A = diag(f) M, from evenly spaced rows of A.

    Parameters
    ----------
    matrix : ndarray of float64, float32 or float16, shape (N, n)
        M, taken as exact.
    roots : ndarray of float64, shape (N,), optional
        f, rounded square roots as in `gram_product`, in place of 1.
    threshold : float
        θ, rounded upward.
    outlook : Foresight
        Whether it is worth a try.

    Returns
    -------
    int or None
        The number of samples that sufficed; None says nothing.
    """
    n_samples, n_features = matrix.shape
    used = int(_PER_NEURON * n_features) + 1
    if n_samples < _PAYS * used or not outlook.full(threshold * n_samples / used):
        return None
    rows = _spread(n_samples, used)
    gram, error = gram_of_rows(matrix[rows], None if roots is None else roots[rows])
    return used if math.isfinite(error) and all_above(gram, error, threshold) else None


def _spread(n_samples: int, count: int) -> slice:
    """Return `count` evenly spaced rows, or all where there are no more."""
    step = max(n_samples // count, 1)
    return slice(0, min(step * count, n_samples), step)


def gram_of_rows(rows: NDArray[Any], factors: Array | None) -> tuple[Array, float]:
    """Form H̃_S by float64 products.

    Parameters
    ----------
    rows : ndarray of float64, float32 or float16, shape (K, n)
        Rows of M, of A = diag(f) M.
    factors : ndarray of float64, shape (K,), optional
        Their entries of f, in place of 1.

    Returns
    -------
    tuple of (ndarray of float64, shape (n, n); float)
        H̃_S and its error, ∞ where numbers leave the range.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product, g = gram_product(np.ascontiguousarray(rows, dtype=np.float64), factors)
        trace = float(np.trace(product))
    if not 2.0**-400 < trace < 2.0**400:
        return product, float("inf")
    return product, upward(g * upward(trace / (1 - g)) + UNDERFLOW)
