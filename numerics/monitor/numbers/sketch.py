"""The spectrum of a wide layer from a sketch: leading eigenvalues and the tail, enclosed.

Subspace iteration gives V (n × k) with VᵀV = I + F, ‖F‖ ≤ f, and Ritz values Θ; with the polar
factor U of V the matrix is [[Θ + E₁, Eᵀ], [E, C]] in an orthonormal basis that begins with U. From
the residual R = GV − VΘ, evaluated with its rounding,

    ‖E₁‖ ≤ e = 2fθ₁/√(1−f) + ‖VᵀR‖/(1−f),     ‖E‖ ≤ ‖R‖/√(1−f).

* Below: λ_i ≥ θ_i − e, since compressions have smaller eigenvalues (Cauchy).
* Above: if λ_max(C) ≤ c < μ, then by the Schur complement G has no more eigenvalues above μ than
  Θ + E₁ + EᵀE/(μ − c), so λ_i ≤ μ where (μ − θ_i − e)(μ − c) = ‖E‖². The same holds for the first
  j of the Ritz vectors, whose residuals are smaller; the least bound over j is taken.
* Beyond: λ_{k+m} ≤ λ_m(C) ≤ min(c, s/m, q/√m) with s = tr C and q = ‖C‖_F, which are what trace and
  Frobenius norm of G leave.
* c: one Cholesky factorisation of cI − (G − VΘVᵀ) certifies it, for the form is that of cI − C on
  the complement of V; else c = min(s, q).

Nothing is assumed of the iteration or of LAPACK: a bad V gives wide intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, chunked_product, frobenius, gamma, upward
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.routes.gram import eigenpairs
from epsrank.theory.rank.routes.shortcuts import all_above

_U = UNIT_ROUNDOFF["float64"]

#: Ritz values of a sketch.
RITZ = 128

# Rounds of subspace iteration, products to find the largest eigenvalue of the rest, and the room
# above it that a Cholesky factorisation needs.
_ROUNDS = 3
_POWERS = 30
_ROOM = 1.02


@dataclass(frozen=True, eq=False)
class Sketch:
    """Certified intervals for every eigenvalue, and for sums over the tail."""

    #: lower_i ≤ λ_i ≤ upper_i; lower ends are 0 beyond the Ritz values.
    enclosure: SpectrumEnclosure
    #: k.
    ritz: int
    #: Ends of tr G.
    trace: tuple[float, float]
    #: Ends of ‖G‖_F² = Σ λ_i².
    squares: tuple[float, float]


def sketch_spectrum(gram: Square, error: float, ritz: int = RITZ, seed: int = 0) -> Sketch:
    """Enclose the spectrum of every PSD matrix G with ‖G̃ − G‖₂ ≤ t.

    G̃ is symmetric, in a range where squares neither overflow nor vanish.
    """
    n = gram.shape[0]
    ritz = min(ritz, n - 1)
    size = frobenius(gram)
    values, vectors = _ritz(gram, ritz, seed)
    found = _residuals(gram, values, vectors, size) if math.isfinite(error) else None
    trace = float(np.trace(gram))
    # ‖G̃ − G‖_F ≤ √n t; the trace moves by at most n t.
    loose = upward(n * error + gamma(n) * upward(trace))
    traces = (max(0.0, trace - loose), upward(trace + loose))
    # 1e-8 covers the rounding of ‖G̃‖_F, whose sum has n² terms.
    norms = (
        max(0.0, size * (1 - 1e-8) - math.sqrt(n) * error),
        upward(size + math.sqrt(n) * error),
    )
    squares = (norms[0] ** 2, upward(norms[1] ** 2))
    if found is None:
        top = np.full(n, upward(size + error))
        tail = np.minimum(upward(traces[1]) / np.arange(1, n + 1), top)
        # The largest is at least the mean.
        low = np.zeros(n)
        low[0] = traces[0] / n * (1 - 1e-12)
        return Sketch(SpectrumEnclosure(low, low, np.maximum(tail, low)), 0, traces, squares)
    inner, columns, defect = found
    lower = np.maximum(values - inner - error, 0.0) * (1 - 1e-15)
    # What trace and squares leave for C, every λ_i of the compression at its lower end.
    s = upward(max(0.0, traces[1] - float(lower.sum()) * (1 - 1e-14)))
    q = upward(math.sqrt(max(0.0, squares[1] - float(lower @ lower) * (1 - 1e-14))))
    rest = min(s, q)
    closer = _largest_of_rest(gram, values, vectors, size, rest)
    c = rest + error if closer is None else min(rest + error, closer)
    upper = _above(values + inner, columns, c, defect) + error
    beyond = np.arange(1, n - ritz + 1)
    tail = np.minimum(np.minimum(s / beyond, q / np.sqrt(beyond)), c + error)
    ends = np.concatenate([upper, tail]) * (1 + 2.0**-30) + np.finfo(float).tiny
    lower = np.concatenate([lower, np.zeros(n - ritz)])
    # λ_i ≥ λ_{i+1}: the bound of one eigenvalue holds for all that follow.
    ends = np.maximum(np.minimum.accumulate(ends), lower)
    middle = np.concatenate([np.clip(values, 0.0, None), np.zeros(n - ritz)])
    enclosure = SpectrumEnclosure(np.clip(middle, lower, ends), lower, ends)
    return Sketch(enclosure, ritz, traces, squares)


def _ritz(gram: Square, ritz: int, seed: int) -> tuple[Array, Array]:
    """Return k Ritz values, descending, and n × k vectors, from rounds of subspace iteration."""
    # From a seed: the same matrix has the same sketch.
    start = np.random.default_rng(seed).standard_normal((gram.shape[0], ritz))
    basis = start
    for _ in range(_ROUNDS):
        basis = sl.qr(gram @ basis, mode="economic", check_finite=False)[0]
    small = basis.T @ (gram @ basis)
    pairs = eigenpairs((small + small.T) / 2)
    if pairs is None:
        return np.zeros(ritz), basis
    return pairs[0][::-1].copy(), np.asfortranarray(basis @ pairs[1][:, ::-1])


def _residuals(
    gram: Square, values: Array, vectors: Array, size: float
) -> tuple[float, Vector, float] | None:
    """Return e, bounds of ‖E‖ for the first j Ritz vectors, and f; None where V is no basis."""
    if not (np.isfinite(values).all() and np.isfinite(vectors).all()):
        return None
    length = frobenius(vectors)
    overlaps, g = chunked_product(vectors.T, vectors)
    overlaps[np.diag_indices_from(overlaps)] -= 1.0
    f = upward(frobenius(overlaps) * (1 + 2 * _U) + (g + 2 * _U) * length**2)
    if f >= 0.1:  # far from orthonormal: the bounds below would say nothing
        return None
    images, g = chunked_product(gram, vectors)
    scaled = vectors * values
    residual = images - scaled
    # Of the products, and of the difference.
    off = upward(g * size * length + 3 * _U * (frobenius(images) + frobenius(scaled)))
    across, g = chunked_product(vectors.T, residual)
    within = upward(frobenius(across) + g * length * frobenius(residual) + (1 + f) * off)
    largest = float(np.abs(values).max())
    inner = upward(2 * f * largest / math.sqrt(1 - f) + within / (1 - f))
    columns = np.sqrt(np.cumsum(np.einsum("ij,ij->j", residual, residual)))
    return inner, (columns * (1 + 1e-8) + off) / math.sqrt(1 - f) * (1 + 1e-12), f


def _above(values: Vector, columns: Vector, c: float, defect: float) -> Vector:
    """Return upper bounds of the leading eigenvalues: of each, the least over all blocks."""
    # λ_max outside of the first j: of what follows among the Ritz vectors, coupled to C. A vector
    # orthogonal to the first j has at most f (the defect) of its length in their coordinates.
    following = np.append(values[1:], 0.0) + defect**2 * abs(float(values[0]))
    outside = _schur(following, np.full(len(values), c), float(columns[-1]))
    outside[-1] = c
    bounds = _schur(values[:, None], outside[None, :], columns[None, :])
    allowed = np.arange(len(values))[:, None] <= np.arange(len(values))[None, :]
    return np.asarray(np.where(allowed, bounds, np.inf).min(axis=1))


def _schur(values: Array, c: Array, coupling: Array | float) -> Array:
    """Return the larger μ with (μ − θ)(μ − c) = ‖E‖², rounded upward."""
    root = np.sqrt((values - c) ** 2 + 4 * np.square(coupling))
    return np.asarray((values + c + root) / 2 + 8 * _U * (np.abs(values) + np.abs(c) + root))


def _largest_of_rest(
    gram: Square, values: Array, vectors: Array, size: float, rest: float
) -> float | None:
    """Return a certified bound of λ_max(G̃ − VΘVᵀ) on the complement of V, by Cholesky."""
    positive = np.clip(values, 0.0, None)
    roots = vectors * np.sqrt(positive)
    deflated = gram - roots @ roots.T
    # Roots, products of length k, and the difference; the spectral norm is at most Frobenius'.
    norm = frobenius(roots) ** 2
    off = upward(gamma(len(values) + 6) * norm + 2 * _U * (size + norm))
    guess = _ROOM * _leading(deflated) + 4 * off
    n = gram.shape[0]
    # One more factorisation where the guess was too small.
    for c in (guess, 2 * guess):
        if not 0 < c < rest:
            return None
        shifted = -deflated
        shifted[np.diag_indices(n)] += c
        # One rounding of each diagonal entry.
        if all_above(shifted, upward(off + 2 * _U * (c + size)), 0.0):
            return float(upward(c))
    return None


def _leading(matrix: Square) -> float:
    """Return about the largest eigenvalue of a symmetric matrix, from Lanczos steps."""
    n = matrix.shape[0]
    basis = np.zeros((n, min(_POWERS, n)))
    images = np.zeros_like(basis)
    vector: Array = np.random.default_rng(1).standard_normal((n,))
    count = 0
    for step in range(basis.shape[1]):
        known = basis[:, :step]
        for _ in range(2):  # once leaves what rounding has brought back
            vector = np.asarray(vector - known @ (known.T @ vector))
        length = float(np.linalg.norm(vector))
        if not 0 < length < np.inf:
            break
        basis[:, step] = vector / length
        images[:, step] = matrix @ basis[:, step]
        vector = np.asarray(images[:, step])
        count = step + 1
    small = basis[:, :count].T @ images[:, :count]
    return float(np.linalg.eigvalsh((small + small.T) / 2)[-1]) if count else 0.0
