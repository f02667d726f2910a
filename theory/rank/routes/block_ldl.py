"""Inertia by a recursive block LDLᵀ without pivoting, whose error is bounded as it arises.

M is halved again and again:  M = [A Bᵀ; B C],  A = F J Fᵀ with J = diag(±1),  W = B F⁻ᵀ J, and then
C − W J Wᵀ (Haynsworth: the inertia of M is that of J plus that of this Schur complement). Only
blocks of order b are decomposed, A = QΛQᵀ, so that F = Q|Λ|^{1/2}; all else is matrix products,
which is several times as quick as Bunch–Kaufman, where every column waits for its pivot.

Why no pivoting between blocks is needed. For M = G − θI with G ⪰ 0, an eigenvector v of a leading
block A of G (eigenvalue μ) has ‖Bv‖² ≤ μ‖C‖, since G ⪰ 0, so it adds at most ‖C‖ μ/|μ − θ| to a
Schur complement: entries grow only where some leading block has an eigenvalue within a small
*relative* distance of θ. That is not assumed: growth enters the bound, and a bound that is too
large is refused by the caller.

What is proved. The computed F = Q|Λ|^{1/2}, W and J define the exact matrix L J Lᵀ, L = [F 0; W …].
It differs from M by the sum of these:

* A − QΛQᵀ, evaluated for each block with the rounding of its evaluation and of the shift;
* B − W J Fᵀ with W = fl(BQ) J |Λ|^{-1/2}: since W J Fᵀ is BQQᵀ up to the rounding of one product,
  two scalings and a root, at most ‖B‖_F (‖QQᵀ − I‖ + γ_{b+6}‖Q‖_F²);
* the rounding of each update C ← C − W_g J_g W_gᵀ with k columns of W at a time: at most
  √2 γ_{k+2} (‖C‖_F + ‖W_g‖_F²), norms over the lower trapezoid, whatever the order of summation
  [Higham, Accuracy and Stability of Numerical Algorithms, §3.1; ch. 13 for block LU].

L is invertible where each Q is (‖QᵀQ − I‖ < 1) and no entry of Λ is 0. So J has exactly the inertia
of M + E with ‖E‖₂ ≤ e, the sum of the above; nothing is assumed of LAPACK's eigenvectors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.linalg import blas, lapack

from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, frobenius, gamma, upward

_U = UNIT_ROUNDOFF["float64"]

# Order of the blocks that are decomposed by eigenvalues; everything else is products.
_BLOCK = 64

# Columns of one update, for a small γ.
_COLUMNS = 256


def block_inertia(matrix: Square, shift: float) -> tuple[int, float] | None:
    """Count the eigenvalues of H̃ + E above θ, for some ‖E‖₂ ≤ e that is bounded on the way.

    `matrix` is H̃, symmetric, taken as exact; only its lower triangle is read; `shift` is θ.
    Returns the count and e; None where a block's eigenvectors are unusable or numbers overflow.
    """
    elimination = _Elimination(shift)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        factors = elimination.factors(matrix)
    if factors is None or not np.isfinite(elimination.error):
        return None
    positive = int(np.count_nonzero(factors[1] > 0))
    return positive, upward(elimination.error)


class _Elimination:
    """One factorisation, and the sum of what its steps may have got wrong."""

    def __init__(self, shift: float) -> None:
        self.shift = shift
        self.error = 0.0

    def factors(self, panel: Matrix) -> tuple[Matrix, Vector] | None:
        """Eliminate the columns of a lower trapezoid.

        `panel` holds the first w columns of a symmetric matrix of order m, read on and below the
        diagonal. Returns W and the diagonal ±1 of J; None where a block cannot be decomposed.
        """
        width = panel.shape[1]
        if width <= _BLOCK:
            return self._block(panel)
        # A multiple of the block, so that only the last block is smaller.
        half = _BLOCK * -(-width // (2 * _BLOCK))
        first = self.factors(panel[:, :half])
        if first is None:
            return None
        multipliers, signs = first
        rest = self._schur_complement(panel[half:, half:], multipliers, signs)
        second = self.factors(rest)
        if second is None:
            return None
        below = panel.shape[0] - width
        joined = np.empty((below, width), order="F")
        joined[:, :half] = multipliers[width - half :]
        joined[:, half:] = second[0]
        return joined, np.concatenate([signs, second[1]])

    def _block(self, panel: Array) -> tuple[Array, Array] | None:
        """Decompose a leading block by eigenvalues, and find the multipliers of the rows below."""
        width = panel.shape[1]
        head = np.asfortranarray(np.tril(panel[:width]))
        head += np.tril(head, -1).T
        diagonal = np.einsum("ii->i", head)
        diagonal -= self.shift
        if not np.isfinite(head).all():
            return None
        values, vectors, info = lapack.dsyevd(head, lower=1)
        moduli = np.abs(values)
        if info != 0 or not moduli.min() > 0 or not np.isfinite(vectors).all():
            return None
        size = upward(float(np.sum(vectors**2)) * (1 + gamma(width * width + 2)))
        product_error = upward(gamma(width + 6) * size)
        identity = np.eye(width)
        # ‖QQᵀ − I‖ = ‖QᵀQ − I‖ for a square Q.
        overlaps = blas.dgemm(1.0, vectors, vectors, trans_a=1)
        defect = upward(frobenius(overlaps - identity) * (1 + 2 * _U) + product_error)
        if not defect < 0.5:  # below 1 Q is invertible; this leaves room
            return None
        rebuilt = blas.dgemm(1.0, vectors * values, vectors, trans_b=1)
        residual = frobenius(head - rebuilt) * (1 + 2 * _U) + _U * float(np.abs(diagonal).max())
        largest = float(moduli.max())
        self.error = upward(
            self.error + residual + 2 * product_error * largest + _U * frobenius(head) + UNDERFLOW
        )
        below = np.asfortranarray(panel[width:])
        signs = np.sign(values)
        if below.shape[0] == 0:
            return np.empty((0, width), order="F"), signs
        self.error = upward(
            self.error + _norm(below) * (defect + product_error) + below.size * UNDERFLOW
        )
        multipliers = blas.dgemm(1.0, below, vectors)
        multipliers *= signs / np.sqrt(moduli)
        return multipliers, signs

    def _schur_complement(self, panel: Array, multipliers: Array, signs: Array) -> Array:
        """Return C − W J Wᵀ for the remaining columns of a trapezoid, a few columns at a time."""
        height, width = panel.shape
        rest = np.array(panel, order="F")
        symmetric = height == width
        for chosen, sign in _groups(multipliers, signs, apart=symmetric):
            self._account(_norm(rest), _norm(chosen), chosen.shape[1])
            if symmetric:
                rest = blas.dsyrk(-sign[0], chosen, beta=1.0, c=rest, lower=1, overwrite_c=1)
                continue
            top = np.asfortranarray(chosen[:width] * sign)
            rest = blas.dgemm(-1.0, chosen, top, beta=1.0, c=rest, trans_b=1, overwrite_c=1)
        return rest

    def _account(self, before: float, size: float, columns: int) -> None:
        """Add the rounding of one update; √2, for what stands below the diagonal counts twice."""
        rounding = math.sqrt(2) * gamma(columns + 2) * (before + size**2)
        self.error = upward(self.error + rounding + UNDERFLOW)


def _groups(multipliers: Array, signs: Array, *, apart: bool) -> Iterator[tuple[Array, Array]]:
    """Cut W into groups of columns, each of one sign where that is asked for."""
    for mask in (signs > 0, signs < 0) if apart else (signs != 0,):
        chosen = np.flatnonzero(mask)
        for start in range(0, len(chosen), _COLUMNS):
            group = chosen[start : start + _COLUMNS]
            # Gathered as rows of the transpose, which are contiguous.
            yield multipliers.T[group].T, signs[group]


def _norm(matrix: Array) -> float:
    """Return an upper bound of ‖M‖_F, quicker than `frobenius` and refused on overflow (∞)."""
    flat = np.ravel(matrix, order="K")
    square = float(blas.ddot(flat, flat))
    # Squares below 2^-1000 may vanish, each at most that; what they hide has this root.
    return upward(math.sqrt(square * (1 + 2 * gamma(flat.size))) + math.sqrt(flat.size) * 2.0**-500)
