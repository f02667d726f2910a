"""N4: how well the best p rows of an n×p orthonormal matrix are conditioned, and its refutation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.optimize

from epsrank.theory.data.inputs import as_matrix_argument
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.numbers.dyadic import root_above
from epsrank.theory.selection.rows import subsets

# Subsets within this, over n, of the largest σ² (itself about 1/n) take part in a polishing step.
_NEAR_MAXIMUM = 0.05


@dataclass(frozen=True, eq=False)
class SubsetValue:
    """max_S σ_min(Q_S)·√n over the p-subsets S of rows: at least 1 if the conjecture holds (N4)."""

    #: The maximum, in float64.
    value: float
    #: An upper bound of it in exact arithmetic, for the orthonormal polar factor of Q; a number
    #: below 1 refutes the conjecture.
    certified: float
    #: Q.
    matrix: Matrix = field(repr=False)

    @property
    def refutes(self) -> bool:
        """Whether Q is a certified counterexample."""
        return self.certified < 1

    def __str__(self) -> str:
        n, p = self.matrix.shape
        verdict = "REFUTES the conjecture" if self.refutes else "no counterexample"
        return f"n = {n}, p = {p}: max_S σ_min·√n = {self.value:.12f} ({verdict})"

    def to_json(self) -> dict[str, Any]:
        """Return the value as plain data."""
        n, p = self.matrix.shape
        return {
            "n": n,
            "p": p,
            "value": self.value,
            "certified": self.certified,
            "refutes": self.refutes,
        }


def subset_value(matrix: Any) -> SubsetValue:
    """Return max_S σ_min(Q_S)·√n for one orthonormal matrix, with a certified upper bound.

    For each S the bound is ‖Q_S v‖/‖v‖ ≥ σ_min(Q_S) at a computed singular vector v, in rational
    arithmetic, and δ = ‖QᵀQ − I‖_F ≥ ‖Q − Q̃‖ passes to the orthonormal polar factor Q̃.

    Q is orthonormal to 1e-6 at least.
    """
    q = np.asarray(matrix, dtype=np.float64)
    if q.ndim != 2 or q.size == 0 or q.shape[0] < q.shape[1] or not np.isfinite(q).all():
        raise InputError("matrix", f"has shape {q.shape}", "pass n × p numbers, p ≤ n")
    exact = [[Fraction(entry) for entry in row] for row in q.tolist()]
    columns = list(zip(*exact, strict=True))
    defect = Fraction(0)
    for i, first in enumerate(columns):
        for j, second in enumerate(columns):
            inner = sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))
            defect += (inner - (i == j)) ** 2
    if defect > Fraction(1, 10**12):  # `defect` is a square
        raise InputError("matrix", "is not orthonormal to 1e-6", "orthonormalise its columns")
    n, p = q.shape
    value, bound = 0.0, 0.0
    for rows in subsets(n, p):
        _, sigma, right = np.linalg.svd(q[rows])
        value = max(value, float(sigma[:, -1].max()))
        # Only subsets near the maximum can decide it; the others are bounded by it with room.
        for index in np.flatnonzero(sigma[:, -1] > value - 1e-6):
            quotient = _quotient([exact[i] for i in rows[index]], right[index, -1])
            bound = max(bound, root_above(quotient))
    total = (Fraction(bound) + Fraction(root_above(defect))) ** 2 * n
    return SubsetValue(value * math.sqrt(n), root_above(total), q)


def _quotient(rows: list[list[Fraction]], vector: Array) -> Fraction:
    """Return ‖Q_S v‖²/‖v‖² exactly."""
    v = [Fraction(entry) for entry in vector.tolist()]
    image = [sum((a * b for a, b in zip(row, v, strict=True)), Fraction(0)) for row in rows]
    return sum((x * x for x in image), Fraction(0)) / sum((x * x for x in v), Fraction(0))


def dual_matrix(matrix: Matrix) -> Matrix:
    """Return Q⊥ ∈ R^{n×(n−p)}, which has the same value: σ_min(Q_S) = σ_min(Q⊥_{Sᶜ}).

    The cosine–sine decomposition of the orthogonal matrix [Q Q⊥] gives its diagonal blocks of order
    p and n − p the same singular values, up to some equal to 1; so (n, p) and (n, n − p) are one
    case. With p = 1 (some entry of a unit vector is at least 1/√n) this settles p = n − 1.
    """
    n, p = matrix.shape
    full = np.linalg.qr(matrix, mode="complete")[0]
    return as_matrix_argument(full, "matrix")[:, p:n]


def polish(matrix: Matrix, rounds: int = 200) -> Matrix:
    """Descend from Q to a local minimum of max_S σ_min(Q_S) by linear programs.

    With Q(K) = Q + Q⊥K to first order, λ_S(K) ≈ λ_S + 2⟨Q⊥_Sᵀ Q_S v vᵀ, K⟩ for the least eigenvalue
    λ_S of Q_SᵀQ_S and its vector v; each program lowers the largest of these in a box, which
    shrinks where the true maximum does not follow.

    0 < p < n.
    """
    n, p = matrix.shape
    rows = np.concatenate(list(subsets(n, p)))
    current, radius = matrix, 0.05
    values, vectors = _least(current, rows)
    for _ in range(rounds):
        best = float(values.max())
        near = values > best - _NEAR_MAXIMUM / n
        normal = np.linalg.qr(current, mode="complete")[0][:, p:]
        slopes = _slopes(current, normal, rows[near], vectors[near])
        size = slopes.shape[1]
        found = scipy.optimize.linprog(
            np.append(np.zeros(size), 1.0),
            A_ub=np.concatenate([slopes, -np.ones((len(slopes), 1))], axis=1),
            b_ub=best - values[near],
            bounds=[(-radius, radius)] * size + [(None, None)],
        )
        if found.status != 0:
            return current
        step = found.x[:size].reshape(n - p, p)
        moved = np.linalg.qr(current + normal @ step)[0]
        trial = _least(moved, rows)
        if float(trial[0].max()) < best:
            current, (values, vectors) = moved, trial
            radius = min(2 * radius, 0.2)
        else:
            radius /= 4
            if radius < 1e-15:
                break
    return current


def _least(matrix: Array, rows: Any) -> tuple[Array, Array]:
    """Return σ_min² and the right singular vector for every subset."""
    _, sigma, right = np.linalg.svd(matrix[rows])
    return sigma[:, -1] ** 2, right[:, -1, :]


def _slopes(matrix: Array, normal: Array, rows: Any, vectors: Array) -> Array:
    """Return dλ_S/dK for each subset, flattened."""
    images = np.einsum("sip,sp->si", matrix[rows], vectors)
    along = np.einsum("sik,si->sk", normal[rows], images)
    gradients = 2 * along[:, :, None] * vectors[:, None, :]
    return np.asarray(gradients.reshape(len(rows), -1))
