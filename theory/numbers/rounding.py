"""Bounds on floating-point error, evaluated so that they are never too small.

The model is the standard one: fl(a ∘ b) = (a ∘ b)(1 + δ), |δ| ≤ u. An inner product of length k has
error at most γ_k Σ|a_i||b_i| with γ_k = ku/(1 − ku), in *every* order of summation and with or
without fused multiply-add [Higham, Accuracy and Stability of Numerical Algorithms, §3.1], so the
bounds hold for every conventional BLAS (not for Strassen-like products, which none of NumPy's
builds use). Gradual underflow adds at most 2^-1074 per operation.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector
from epsrank.theory.numbers.dtypes import FLOAT_TYPES, SUM_TYPES, float_type, sum_type

#: Unit roundoff u (half the distance from 1 to the next number) of the types that sums are made in.
UNIT_ROUNDOFF: dict[str, float] = {name: FLOAT_TYPES[name].unit_roundoff for name in SUM_TYPES}

# Scalar bounds are evaluated in float64 with far fewer than 2^20 operations on non-negative
# numbers, so a relative slack of 2^-30 makes each of them an upper bound.
_SLACK = 1.0 + 2.0**-30

# Covers gradual underflow in every product below: fewer than 2^60 operations of 2^-1074 each.
UNDERFLOW = 2.0**-1000

# Rows per partial Gram matrix: long enough for full speed, short enough for a small γ.
_ROWS_PER_BLOCK = 4096

# Order of the tiles in which a symmetric matrix is mirrored.
_TILE = 128


def upward(value: float) -> float:
    """Return a number that is at least the exact value of a short non-negative expression.

    `value` is the expression as evaluated in float64: fewer than 2²⁰ operations, no cancellation.
    """
    return value * _SLACK


def downward(value: float) -> float:
    """Return a number that is at most the exact value of a short non-negative expression.

    `value` is the expression as evaluated in float64: fewer than 2²⁰ operations, no cancellation.
    """
    return value / _SLACK


def unit_roundoff(dtype: Any) -> float:
    """Return u of a floating dtype, and 0 for integers and booleans, which carry no rounding."""
    known = float_type(dtype)
    return 0.0 if known is None else known.unit_roundoff


def gamma(k: int, u: float = UNIT_ROUNDOFF["float64"]) -> float:
    """Return an upper bound of γ_k = ku/(1 − ku), and ∞ once ku ≥ 1."""
    product = k * u
    return math.inf if product >= 1 else upward(product / (1 - product))


def product_underflow(dtype: Any) -> float:
    """Return η, what one product may lose to underflow in a dtype that sums are made in."""
    return sum_type(dtype).product_underflow


def gram_error_bound(
    trace: float, n_samples: int, dtype: str = "float64", *, n_features: int
) -> float:
    """Bound ‖G̃ − G‖₂ for a Gram matrix accumulated over N samples in one dtype (C2).

    ‖fl(AᵀA) − AᵀA‖₂ ≤ γ_N ‖|A|ᵀ|A|‖₂ + nNη ≤ γ_N tr G + nNη, for any order of summation, where each
    product may lose η to underflow: the smallest normal number, since hardware may flush to zero
    (for float16 the smallest subnormal one, which it keeps). With tr G̃ in the place of tr G the
    factor is γ_N/(1 − γ_N), and the trace itself may have lost nNη.
    """
    factor = gamma(n_samples + 2, unit_roundoff(dtype))
    if factor >= 1:
        return math.inf
    lost = n_features * n_samples * product_underflow(dtype)
    return upward(factor / (1 - factor) * (trace + lost) + lost + UNDERFLOW)


def gram_product(matrix: Matrix, row_factors: Vector | None = None) -> tuple[Square, float]:
    """Return H̃ ≈ AᵀA and g with |H̃ − AᵀA|_ij ≤ g ‖a_i‖‖a_j‖ for the columns a_i of A.

    A = diag(f) M, where f are rounded square roots: four roundings in each f_i are covered by g,
    which bounds the distance to the Gram matrix of the exact diag(√w) M. Blocks of rows are formed
    by symmetric rank-k updates and then added, so g grows with the block and the number of blocks
    instead of with N.

    Without `row_factors` f is 1.
    """
    n_samples = matrix.shape[0]
    upper: Array | None = None
    partial: Array | None = None
    for start in range(0, n_samples, _ROWS_PER_BLOCK):
        block = matrix[start : start + _ROWS_PER_BLOCK]
        if row_factors is not None:
            block = block * row_factors[start : start + _ROWS_PER_BLOCK, None]
        # Contiguous rows, transposed, are the contiguous columns that BLAS takes without a copy.
        columns = np.ascontiguousarray(block).T
        if upper is None:
            upper = blas.dsyrk(1.0, columns)
            continue
        if partial is None:
            partial = np.zeros_like(upper)
        # Into the same memory for every block.
        partial = blas.dsyrk(1.0, columns, beta=0.0, c=partial, overwrite_c=1)
        add_upper(upper, partial)
    assert upper is not None  # N ≥ 1
    mirror(upper)
    return upper, gram_factor(n_samples, row_factors is not None)


def gram_factor(n_samples: int, weighted: bool) -> float:
    """Return the g of `gram_product`."""
    additions = min(_ROWS_PER_BLOCK, n_samples) + -(-n_samples // _ROWS_PER_BLOCK)
    # √w (1 rounding), its division by a rounded √c (3), the product with φ (1), on both sides: 10.
    return gamma(additions + (10 if weighted else 0))


def add_upper(total: Square, partial: NDArray[Any]) -> None:
    """Add the upper triangle of a partial sum, in place; what stands below it is arbitrary."""
    n = total.shape[0]
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        total[:stop, start:stop] += partial[:stop, start:stop]


def mirror(matrix: Square) -> None:
    """Copy the upper triangle onto the lower one, tile by tile so that the cache holds both."""
    n = matrix.shape[0]
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        tile = matrix[start:stop, start:stop]
        np.copyto(tile, tile.T, where=_below_the_diagonal(stop - start))
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T


@cache
def _below_the_diagonal(order: int) -> NDArray[np.bool_]:
    """Return where a tile is below its diagonal; made once for each order up to that of a tile."""
    return np.tri(order, k=-1, dtype=np.bool_)


def chunked_product(left: Matrix, right: Matrix, chunk: int = 256) -> tuple[Matrix, float]:
    """Return P̃ ≈ LR and g with |P̃ − LR| ≤ g |L||R| entrywise.

    The inner dimension is cut into chunks whose products are added, for a smaller g.
    """
    # SciPy's and NumPy's BLAS have thread pools of their own that get in each other's way; LAPACK
    # comes from SciPy, so the products do too.
    inner = left.shape[1]
    if 0 < inner <= chunk and left.flags.c_contiguous and right.flags.f_contiguous:
        # Small and without a copy: no sum, whose zeros and additions would be felt.
        return blas.dgemm(1.0, left.T, right, trans_a=1), gamma(inner + 1)
    rows = np.ascontiguousarray(right)
    # SciPy copies what is no contiguous block. Columns of an array by rows are copied piece by
    # piece, which costs a third of a copy of all of it by columns.
    by_rows = left.flags.c_contiguous
    columns = left if by_rows else np.asfortranarray(left)
    if 0 < inner <= chunk:
        if by_rows:
            return blas.dgemm(1.0, left.T, rows.T, trans_a=1, trans_b=1), gamma(inner + 1)
        return blas.dgemm(1.0, columns, rows.T, trans_b=1), gamma(inner + 1)
    total = np.zeros((left.shape[0], right.shape[1]), order="F")
    for start in range(0, inner, chunk):
        piece, factor = columns[:, start : start + chunk], rows[start : start + chunk].T
        if by_rows:
            total += blas.dgemm(1.0, np.ascontiguousarray(piece).T, factor, trans_a=1, trans_b=1)
        else:
            total += blas.dgemm(1.0, piece, factor, trans_b=1)
    return total, gamma(min(chunk, inner) + -(-inner // chunk))


def frobenius(matrix: Array) -> float:
    """Return an upper bound of ‖M‖_F, for entries far from overflow."""
    flat = matrix.ravel("K")
    return upward(float(blas.dnrm2(flat)) * (1 + 2 * gamma(flat.size)) + UNDERFLOW)


def squared_frobenius(matrix: NDArray[Any], row_factors: Vector | None = None) -> float:
    """Return an upper bound of ‖diag(f) M‖_F².

    Without `row_factors` f is 1; four roundings in each factor are covered.
    """
    total, size = 0.0, _TILE * matrix.shape[1]
    # With 2^20 terms γ of float32 is 1/15; longer sums would double the bound before long.
    narrow = row_factors is None and matrix.dtype == np.float32 and size <= 2**20
    for start in range(0, matrix.shape[0], _TILE):
        block = matrix[start : start + _TILE]
        if row_factors is not None:
            block = block * row_factors[start : start + _TILE, None]
        flat = np.ravel(block if narrow else np.asarray(block, dtype=np.float64))
        total += float(blas.sdot(flat, flat) if narrow else blas.ddot(flat, flat))
    if narrow:
        if not 2.0**-60 < total < 2.0**100:  # beyond the range of float32
            return squared_frobenius(matrix, np.ones(matrix.shape[0]))  # in float64
        total = (total + matrix.size * product_underflow("float32")) / (1 - gamma(size, 2.0**-24))
    return upward(total * (1 + 2 * gamma(size + matrix.shape[0])) + UNDERFLOW)
