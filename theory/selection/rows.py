"""Which rows of an orthonormal block to keep: maximal minors, and strong rank-revealing QR."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Matrix, Square

# Subsets handled by one batched LAPACK call.
_SUBSETS_PER_CALL = 4096

# Exchanges between two fresh solves; one rank-one update each in between.
_EXCHANGES_PER_SOLVE = 64


def subsets(n: int, p: int, batch: int = _SUBSETS_PER_CALL) -> Iterator[NDArray[np.intp]]:
    """Yield all p-subsets of 0…n−1 in lexicographic order, some thousands at a time."""
    combinations = itertools.combinations(range(n), p)
    while chunk := list(itertools.islice(combinations, batch)):
        yield np.array(chunk, dtype=np.intp).reshape(len(chunk), p)


def maximal_minor(block: Matrix) -> NDArray[np.intp]:
    """Return the m rows of B ∈ R^{n×m} whose minor is the largest in modulus, by trying all.

    B has full column rank.
    """
    n, m = block.shape
    best, chosen = -math.inf, np.arange(m, dtype=np.intp)
    for rows in subsets(n, m):
        sizes = np.linalg.slogdet(block[rows])[1]
        index = int(np.argmax(sizes))
        if sizes[index] > best:
            best, chosen = float(sizes[index]), rows[index]
    return chosen


def exchanged_rows(block: Matrix, f: float) -> NDArray[np.intp]:
    """Return m rows T of B ∈ R^{n×m} such that no entry of B B_T⁻¹ exceeds f in modulus.

    Strong rank-revealing QR ([S4], algorithm 4) on orthonormal columns: start from the pivots of
    QR with column pivoting on Bᵀ; while |(B B_T⁻¹)_ij| > f, row i takes the place of the j-th row
    of T, which multiplies |det B_T| by that modulus. |det B_T| ≤ 1, so for f > 1 this ends.
    """
    n, m = block.shape
    if m in (0, n):
        return np.arange(m, dtype=np.intp)
    _, _, pivots = scipy.linalg.qr(block.T, mode="economic", pivoting=True)
    chosen = np.asarray(pivots[:m], dtype=np.intp)
    while True:
        quotient = scipy.linalg.solve(block[chosen].T, block.T, check_finite=False).T
        for _ in range(_EXCHANGES_PER_SOLVE):
            outside = np.abs(quotient)
            outside[chosen] = 0.0
            row, column = divmod(int(np.argmax(outside)), m)
            if not outside[row, column] > f:
                break
            # B B_T⁻¹ after one exchange (Sherman–Morrison).
            change = quotient[row].copy()
            change[column] -= 1.0
            quotient = quotient - np.outer(quotient[:, column] / quotient[row, column], change)
            chosen[column] = row
        else:
            continue  # many exchanges: solve afresh before judging
        return np.sort(chosen)


def kept_by_minor(vectors: Square, p: int) -> NDArray[np.intp]:
    """Return the p neurons S for which the minor |det V₂₂| of those left out is the largest (N1).

    V is orthogonal, so |det V₂₂| over the rows outside S equals |det V₁₁| over the rows in S
    (Jacobi's complementary minors); the smaller of the two blocks is searched.

    The columns of V are eigenvectors, leading first.
    """
    n = vectors.shape[0]
    if 2 * p <= n:
        return maximal_minor(vectors[:, :p])
    return _complement(maximal_minor(vectors[:, p:]), n)


def kept_by_exchange(vectors: Square, p: int, f: float) -> NDArray[np.intp]:
    """Return p neurons S with |V₁₂V₂₂⁻¹| ≤ f entrywise, by strong rank-revealing QR.

    V₁₂V₂₂⁻¹ = −(V₂₁V₁₁⁻¹)ᵀ for orthogonal V, so the smaller block is worked on.

    The columns of V are eigenvectors, leading first.
    """
    n = vectors.shape[0]
    if 2 * p <= n:
        return exchanged_rows(vectors[:, :p], f)
    return _complement(exchanged_rows(vectors[:, p:], f), n)


def closest_neurons(compressed: Square, coefficients: Matrix, p: int) -> NDArray[np.intp]:
    """Return the p neurons whose span is closest to u = φ·W, by trying all subsets."""
    n = compressed.shape[0]
    if p == 0:
        return np.arange(0, dtype=np.intp)
    output = compressed @ coefficients
    total = float(np.sum(output * output))
    best, chosen = math.inf, np.arange(p, dtype=np.intp)
    for rows in subsets(n, p):
        columns = np.moveaxis(compressed[:, rows], 1, 0)
        left, sigma, _ = np.linalg.svd(columns, full_matrices=False)
        # Directions that rounding alone may have made do not count towards the span.
        present = sigma > n * 2.0**-52 * np.maximum(sigma[:, :1], 2.0**-1000)
        along = np.swapaxes(left, 1, 2) @ output
        explained = np.einsum("sqk,sq->s", along * along, present)
        distances = total - explained
        index = int(np.argmin(distances))
        if distances[index] < best:
            best, chosen = float(distances[index]), rows[index]
    return chosen


def _complement(rows: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Return the indices 0…n−1 that are not among `rows`."""
    return np.setdiff1d(np.arange(n, dtype=np.intp), rows)
