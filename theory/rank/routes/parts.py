"""All eigenvalues above a threshold, from some of the samples.

H = AᵀA is the sum of a_i a_iᵀ over the samples, each positive semidefinite. With a subset S of them
H ⪰ H_S, so λ_n(H) ≥ λ_n(H_S) (M1), and λ_n(H_S) > θ settles that no eigenvalue is below θ. Full
rank shows in little more than n samples, where N ≫ n are given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.rounding import UNDERFLOW, gamma, gram_product, upward
from epsrank.theory.rank.routes.foresight import STRIDE, Foresight, foresee
from epsrank.theory.rank.routes.shortcuts import all_above

# Samples per neuron: at 1 the smallest eigenvalue of random features is close to 0.
_PER_NEURON = 1.5

# With less than this many times as many samples, the Gram matrix of all of them is as good.
_PAYS = 1.5


def look(matrix: NDArray[Any], roots: Vector | None, threshold: float) -> Foresight:
    """Look at a quarter of the neurons on as many samples as that takes.

    Without `roots` f is 1.
    """
    n_samples, n_features = matrix.shape
    quarter = matrix[:, ::STRIDE]
    rows = _spread(n_samples, int(_PER_NEURON * quarter.shape[1]) + 1)
    gram, _ = gram_of_rows(quarter[rows], None if roots is None else roots[rows])
    # To the scale of the sum over all samples.
    gram *= n_samples / len(range(n_samples)[rows])
    return foresee(gram, n_features, threshold)


def full_on_some_samples(
    matrix: NDArray[Any], roots: Vector | None, threshold: float, outlook: Foresight
) -> int | None:
    """Certify λ_n(AᵀA) > θ, A = diag(f) M, from evenly spaced rows of A.

    `matrix` is M, taken as exact; `roots` is f, rounded square roots as in `gram_product`, and
    without it f is 1; `threshold` is θ, rounded upward. Returns the number of rows that suffice.
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


def gram_of_rows(rows: NDArray[Any], factors: Vector | None) -> tuple[Square, float]:
    """Form H̃_S by float64 products.

    Returns H̃_S and its error, ∞ where numbers leave the range.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product, g = gram_product(np.ascontiguousarray(rows, dtype=np.float64), factors)
        trace = float(np.trace(product))
    if not 2.0**-400 < trace < 2.0**400:
        return product, float("inf")
    return product, upward(g * upward(trace / (1 - g)) + UNDERFLOW)


# Samples from which candidates are chosen.
_SAMPLES_LOOKED_AT = 64

# Rows that a cache holds as float64.
_ROWS_IN_CACHE = 64

# Share of neurons from which leaving them out pays for copying the others.
_SILENT_PAYS = 1 / 8

# Largest τ as a share of the threshold: an eigenvalue that close to it makes the work useless.
_SHARE = 1e-3


@dataclass(frozen=True, eq=False)
class Audible:
    """The neurons that are left, and what the others have."""

    #: Their features.
    matrix: NDArray[Any]
    #: Number of silent neurons, n − m.
    left_out: int
    #: τ ≥ ‖A_s‖_F².
    energy: float

    def lowered(self, threshold: float) -> float:
        """Return θ − τ, rounded downward."""
        return math.nextafter(threshold - self.energy, 0.0)


def without_silent(matrix: NDArray[Any], roots: Vector | None, threshold: float) -> Audible | None:
    """Leave out neurons that are silent next to a threshold, if there are many.

    Without `roots` f is 1. Returns the others; None where too few are silent to be worth it.
    """
    n_samples, n_features = matrix.shape
    step = max(n_samples // _SAMPLES_LOOKED_AT, 1)
    # Some samples first, which suffice to see that no neurons are silent.
    seen = _energies(matrix[::step], None if roots is None else roots[::step])
    if np.count_nonzero(seen * step <= _SHARE * threshold) < _SILENT_PAYS * n_features:
        return None
    energies = _energies(matrix, roots)
    # The quietest ones, as many as have next to nothing together.
    order = np.argsort(energies)
    # Sums of N + n squares; the factors carry four roundings each (`gram_product`).
    total = np.cumsum(energies[order]) * (1 + 2 * gamma(n_samples + n_features + 20)) + UNDERFLOW
    count = int(np.count_nonzero(total <= _SHARE * threshold))
    if count < _SILENT_PAYS * n_features:
        return None
    kept = np.sort(order[count:])
    return Audible(np.take(matrix, kept, axis=1), count, upward(float(total[count - 1])))


def _energies(matrix: NDArray[Any], roots: Array | None) -> Array:
    """Return ‖a_j‖² of every column, as computed."""
    total = np.zeros(matrix.shape[1])
    for start in range(0, len(matrix), _ROWS_IN_CACHE):
        block = np.asarray(matrix[start : start + _ROWS_IN_CACHE], dtype=np.float64)
        if roots is not None:
            block = block * roots[start : start + _ROWS_IN_CACHE, None]
        with np.errstate(over="ignore", under="ignore"):
            total += np.einsum("ij,ij->j", block, block)
    return total
