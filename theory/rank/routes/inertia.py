"""The counting route: inertia of G − θI by LDLᵀ in float64, with a certified backward error.

Where one count is wanted no eigenvalue is needed. If LDLᵀ = H̃ − θI + E with ‖E‖ ≤ e, Sylvester's
law says that D has as many positive eigenvalues as H̃ + E has above θ, and by Weyl (M7) that number
lies between the counts of H̃ above θ + e and above θ − e. One factorisation on either side of ε
decides, at a fraction of the cost of eigenvectors.

The factorisation is a block LDLᵀ without pivoting (`block_ldl`), whose e is bounded as it arises.
Where growth makes e too large, LAPACK's Bunch–Kaufman takes its place, and e is its residual,
evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, frobenius, gamma, upward
from epsrank.theory.rank.routes.block_ldl import block_inertia

_U = UNIT_ROUNDOFF["float64"]

# Inner dimension of the partial products in the residual, for a small γ.
_CHUNK = 256

# Columns that are cleared at a time.
_TILE = 128

# Distance from ε, as a share of it, at which factorisations are made where less was not enough:
# room for e. An eigenvalue that close is left to the other routes.
_ROOM = 1e-3

# The first attempt is closer. What e comes to without growth, in units of u·tr H̃; and with the
# growth of a thousand that leading blocks with eigenvalues all around ε make, as a share of ε.
# Where t is far above both, a share of t makes sure that e is not what the attempt fails by.
_ROUNDINGS = 8192
_GROWTH = 1e-6
_SPARE = 1 / 16

_Count = Callable[[Array, float], tuple[int, float] | None]


def inertia_bounds(
    matrix: Square, error: float, below: float, above: float
) -> tuple[int, int] | None:
    """Bound #{k : λ_k(H) > θ} for every H with ‖H̃ − H‖₂ ≤ t and every θ in an interval.

    `matrix` is H̃, symmetric; `error` is t. Returns a lower and an upper bound; None where a
    factorisation cannot be certified closely enough.
    """
    n = matrix.shape[0]
    moduli = float(np.sum(np.abs(np.einsum("ii->i", matrix))))
    room = max(_ROUNDINGS * _U * moduli, _GROWTH * above, _SPARE * error)
    close = upward(error + room)
    wide = max(_ROOM * above, 2 * error)
    attempts: list[tuple[_Count, float]] = [(block_inertia, close), (certified_inertia, wide)]
    if wide > 2 * close:
        attempts.insert(1, (block_inertia, wide))
    above_it = _count_beyond(matrix, error, [(f, upward(above + m), m) for f, m in attempts])
    if above_it is None:
        return None
    lower, tries = above_it
    if lower == n:
        return n, n
    # A shift of 0 or less counts everything.
    if below <= min(close, wide):
        return lower, n
    # What was not enough on one side of θ seldom is on the other.
    attempts = attempts[tries - 1 :]
    # Rounded downward, away from θ.
    shifts = [(f, (below - m) * (1 - 4 * _U), m) for f, m in attempts if below > m]
    below_it = _count_beyond(matrix, error, shifts)
    return None if below_it is None else (lower, below_it[0])


def _count_beyond(
    matrix: Array, error: float, attempts: Sequence[tuple[_Count, float, float]]
) -> tuple[int, int] | None:
    """Count above the first shift whose distance from θ covers t and e, and say which one it is."""
    for number, (count, shift, margin) in enumerate(attempts, start=1):
        found = count(matrix, shift)
        if found is not None and upward(error + found[1]) <= margin:
            return found[0], number
    return None


def certified_inertia(matrix: Square, shift: float) -> tuple[int, float] | None:
    """Count the eigenvalues of H̃ + E above θ, for some ‖E‖ ≤ e that is evaluated a posteriori.

    `matrix` is H̃, symmetric, taken as exact; `shift` is θ. Returns the count and e; None where a
    pivot's sign is open.
    """
    n = matrix.shape[0]
    shifted = np.array(matrix, order="F")
    diagonal = np.einsum("ii->i", shifted)
    diagonal -= shift
    rounding = upward(_U * float(np.abs(diagonal).max()))
    factors = _factorise(shifted)
    if factors is None:
        return None
    outer, pivots, off = factors
    count = _positive_pivots(pivots, off)
    if count is None:
        return None
    # W = LD, then H̃ − θI − WLᵀ chunk by chunk.
    scaled = outer * pivots
    first = np.flatnonzero(off)
    scaled[:, first] += outer[:, first + 1] * off[first]
    scaled[:, first + 1] += outer[:, first] * off[first]
    residual = shifted.copy(order="F")
    for start in range(0, n, _CHUNK):
        stop = start + _CHUNK
        residual = blas.dgemm(
            -1.0, scaled[:, start:stop], outer[:, start:stop], 1.0, residual, trans_b=1,
            overwrite_c=1,
        )  # fmt: skip
    updates = -(-n // _CHUNK)
    length, middle = frobenius(outer), upward(frobenius(pivots) + 2 * frobenius(off))
    # The shift; the residual as computed, its products and its sums; the product W = LD.
    error = (
        rounding
        + frobenius(residual)
        + gamma(min(_CHUNK, n) + updates) * frobenius(scaled) * length
        + gamma(updates + 1) * frobenius(shifted)
        + gamma(3) * length * middle * length
    )
    return (count, upward(error)) if np.isfinite(error) else None


def _factorise(shifted: Square) -> tuple[Array, Array, Array] | None:
    """Return a row-permuted unit lower triangular L, and D, with M ≈ LDLᵀ (Bunch–Kaufman).

    `shifted` is M. Returns None where LAPACK reports a failure. L is invertible by construction.
    """
    n = shifted.shape[0]
    # Room for blocks of 64 columns: with SciPy's default of n LAPACK has none for any block.
    packed, swaps, info = lapack.dsytrf(shifted, lower=1, lwork=64 * n)
    if info != 0:
        return None
    packed, off, info = lapack.dsyconv(packed, swaps, lower=1)
    if info != 0:
        return None
    pivots = np.diag(packed).copy()
    _make_unit_lower(packed)
    # Rows permuted by way of the transpose: ten times as quick as a scatter of rows by columns.
    outer = np.take(packed.T, np.argsort(_permutation(swaps)), axis=1).T
    return outer, pivots, off[: n - 1]


def _make_unit_lower(packed: Square) -> None:
    """Clear the upper triangle and set the diagonal to 1, in place."""
    for start in range(0, packed.shape[0], _TILE):
        stop = start + _TILE
        packed[:start, start:stop] = 0.0
        tile = packed[start:stop, start:stop]
        tile[...] = np.tril(tile, -1) + np.eye(tile.shape[0])


def _permutation(swaps: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the permutation that LAPACK's list of interchanges stands for.

    `swaps`: ``ipiv`` of ``dsytrf`` for the lower triangle, counted from 1; negative in 2×2 pivots.
    """
    order = np.arange(len(swaps))
    k = 0
    while k < len(swaps):
        step = 1 if swaps[k] > 0 else 2
        here, there = k + step - 1, abs(int(swaps[k])) - 1
        order[[here, there]] = order[[there, here]]
        k += step
    return order


def _positive_pivots(diagonal: Vector, off: Vector) -> int | None:
    """Count the positive eigenvalues of a block-diagonal D with 1×1 and 2×2 blocks.

    None where rounding leaves a sign open.
    """
    first = np.flatnonzero(off)
    paired = np.zeros(len(diagonal), dtype=bool)
    paired[first] = paired[first + 1] = True
    single = diagonal[~paired]
    # Bunch–Kaufman takes a 2×2 pivot only where it is indefinite; the factor covers rounding.
    product = np.abs(diagonal[first] * diagonal[first + 1]) * (1 + 1e-10)
    if not np.isfinite(diagonal).all() or (single == 0).any() or (product >= off[first] ** 2).any():
        return None
    return int(np.count_nonzero(single > 0)) + len(first)
