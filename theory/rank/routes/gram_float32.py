"""The Gram matrix by products in float32, for thresholds that can afford it.

Rows are cut into chunks of c. With X = fl₃₂(A_chunk), and P̃ the computed XᵀX,

    |P̃ − A_chunkᵀA_chunk| ≤ γ_{c+3}(2⁻²⁴) |A_chunk|ᵀ|A_chunk|      (entrywise)

in every order of summation: c for the inner products, two for the conversion of both factors, one
that covers the few float64 roundings of √w φ [Higham, Accuracy and Stability of Numerical
Algorithms, §3.1]. Chunks are added in float64. As ‖E‖₂ ≤ ‖ |E| ‖₂ and the norm is monotone on
non-negative matrices, the whole error is at most g‖|A|ᵀ|A|‖₂, and

    ‖|A|ᵀ|A|‖₂ ≤ min(‖A‖_F², ‖A‖₁‖A‖_∞),

the second bound being 2/π of the first for Gaussian features, and up to n times smaller for those
with disjoint supports. Underflow is counted apart: whether hardware flushes subnormal inputs,
products or sums to zero, no operation loses more than η(1 + 2 max|a|) with η the smallest normal
number, and there are 2N operations per entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    add_upper,
    gamma,
    mirror,
    upward,
)

_U32 = UNIT_ROUNDOFF["float32"]
_SMALLEST_NORMAL = 2.0**-126

# Rows per product. Longer ones are quicker, shorter ones more accurate; below the last one float64
# is as quick.
_CHUNKS = (4096, 2048, 1024, 512)

#: Samples per neuron from which the spectrum of a part resembles that of the whole: eigenvalues are
#: off by a factor of (1 ± √(r/K))² for K samples of rank r.
PREVIEW = 2.5

# Largest entries for which squares are far from both ends of float32.
_RANGE = (2.0**-40, 2.0**40)


@dataclass(frozen=True)
class NarrowSizes:
    """What bounds the error of float32 products before any is formed."""

    #: max |a_ij| ≤ largest.
    largest: float
    #: ‖A‖₁‖A‖_∞ ≤ norm.
    norm: float
    #: ‖A‖_F², roughly.
    square: float


def narrow_sizes(matrix: NDArray[Any], roots: Vector | None) -> NarrowSizes | None:
    """Measure A = diag(f) M in one pass.

    `matrix` is M; `roots` is f, and without it f is 1. Returns None where entries are so large or
    small that float32 is out of the question.
    """
    n_samples, n_features = matrix.shape
    columns, row, largest, square = np.zeros(n_features), 0.0, 0.0, 0.0
    buffer = np.empty((min(_CHUNKS[-1], n_samples), n_features), dtype=np.float32)
    for start in range(0, n_samples, _CHUNKS[-1]):
        block = _narrow(matrix, roots, slice(start, start + _CHUNKS[-1]), buffer)
        moduli = np.abs(block, out=buffer[: len(block)])
        largest = max(largest, float(moduli.max()))
        if not largest <= _RANGE[1]:
            return None
        ones = np.ones(max(moduli.shape), dtype=np.float32)
        row = max(row, float(blas.sgemv(1.0, moduli.T, ones[:n_features], trans=1).max()))
        columns += blas.sgemv(1.0, moduli.T, ones[: len(moduli)])
        square += float(blas.sdot(moduli.reshape(-1), moduli.reshape(-1)))
    if not largest >= _RANGE[0]:
        return None
    # Sums of up to max(n, c) non-negative numbers, themselves rounded.
    slack = 1 / (1 - gamma(max(n_features, _CHUNKS[-1]) + 2, _U32))
    lost = 4.0 * max(n_samples, n_features) * _SMALLEST_NORMAL
    norm = upward((row + lost) * slack) * upward((float(columns.max()) + lost) * slack)
    return NarrowSizes(upward((largest + lost) / (1 - 2 * _U32)), upward(norm), square)


def errors_of_chunks(sizes: NarrowSizes, n_samples: int) -> list[tuple[int, float]]:
    """Return lengths of chunks, the quickest first, and what each is accurate to."""
    norm = min(sizes.norm, sizes.square)
    return [
        (chunk, _factor(min(chunk, n_samples), -(-n_samples // chunk)) * norm) for chunk in _CHUNKS
    ]


def form_gram_float32(
    matrix: NDArray[Any],
    roots: Vector | None,
    sizes: NarrowSizes,
    chunk: int,
    stop: Callable[[Array, int], bool] | None = None,
) -> tuple[Square, float] | None:
    """Form H̃ ≈ AᵀA, A = diag(f) M, by products in float32 and sums in float64.

    `matrix` is M; `roots` is f, rounded square roots as in `gram_product`, and without it f is 1.
    `stop` is asked once, when a quarter of the samples (at least `PREVIEW` n) is in, with the sum
    over them (its upper triangle, in Fortran order) and their number; if it says True, the work is
    broken off. Chunks are then of every so many rows, so that the first ones resemble all. Returns
    H̃, symmetric, and t ≥ ‖H̃ − AᵀA‖₂, ∞ where something overflowed; None if broken off.
    """
    n_samples, n_features = matrix.shape
    partial = np.zeros((n_features, n_features), dtype=np.float32, order="F")
    buffer = np.empty((min(chunk, n_samples), n_features), dtype=np.float32)
    total: Array | None = None
    chunks = -(-n_samples // chunk)
    enough = max(n_samples / 4, PREVIEW * n_features)
    before = seen = 0
    for k in range(chunks):
        if stop is not None and total is not None and before < enough <= seen and stop(total, seen):
            return None
        apart = stop is not None
        rows = slice(k, None, chunks) if apart else slice(k * chunk, (k + 1) * chunk)
        block = _narrow(matrix, roots, rows, buffer)
        partial = blas.ssyrk(1.0, block.T, beta=0.0, c=partial, overwrite_c=1)
        before, seen = seen, seen + len(block)
        if total is None:
            total = partial.astype(np.float64)
        else:
            add_upper(total, partial)
    assert total is not None  # N ≥ 1
    mirror(total)
    g = _factor(min(chunk, n_samples), chunks)
    lost = 2.0 * n_features * n_samples * _SMALLEST_NORMAL * (1 + 2 * sizes.largest)
    trace = float(np.trace(total))
    if not np.isfinite(trace):
        return total, float("inf")
    square = upward((trace + lost) / (1 - g))
    return total, upward(g * min(square, sizes.norm) + lost + UNDERFLOW)


def _narrow(
    matrix: NDArray[Any], roots: Array | None, rows: slice, buffer: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return some rows of diag(f) M in float32, in a buffer unless they are there already."""
    block = matrix[rows]
    if roots is None and block.dtype == np.float32 and block.flags.c_contiguous:
        return block
    with np.errstate(over="ignore", under="ignore"):
        if roots is not None:
            block = block * roots[rows, None]
        narrow = buffer[: len(block)]  # new memory for each block would cost more than rounding
        np.copyto(narrow, block, casting="same_kind")
    return narrow


def _factor(rows: int, chunks: int) -> float:
    """Return g with |H̃ − AᵀA| ≤ g|A|ᵀ|A|, underflow aside."""
    # c + 3 is what the roundings come to (above); one is to spare.
    return upward(gamma(rows + 4, _U32) + 2 * gamma(chunks + 1))
