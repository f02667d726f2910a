"""An independent exact count of eigenvalues: rational elimination and Sylvester's law of inertia.

It shares nothing with the routes of `theory`: Python fractions, no characteristic polynomial, no
ball arithmetic. Slow and plain, for n up to about 8; its purpose is to disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = list[list[Fraction]]


def rational(array: NDArray[Any]) -> Matrix:
    """Return a float or integer matrix as fractions, without rounding."""
    # Narrow floats are float64 numbers, and Python's fractions read those.
    wide = array.astype(np.float64) if array.dtype.kind == "f" else array
    return [[Fraction(value) for value in row] for row in wide.tolist()]


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two rational matrices."""
    columns = list(zip(*right, strict=True))
    return [
        [sum(map(Fraction.__mul__, row, column), Fraction(0)) for column in columns] for row in left
    ]


def transpose(matrix: Matrix) -> Matrix:
    """Return the transpose."""
    return [list(column) for column in zip(*matrix, strict=True)]


def exact_gram(
    features: NDArray[Any], weights: NDArray[Any] | None = None, measure: str = "raw"
) -> Matrix:
    """Return G = Φᵀ diag(w) Φ / c exactly (c = Σw for the measure ``mean``, else 1).

    Without weights w is 1.
    """
    rows = rational(features)
    w = [Fraction(1)] * len(rows) if weights is None else [Fraction(float(x)) for x in weights]
    scale = sum(w, Fraction(0)) if measure == "mean" else Fraction(1)
    weighted = [[a * x / scale for a in row] for row, x in zip(rows, w, strict=True)]
    return product(transpose(rows), weighted)


def shifted(matrix: Matrix, shift: Fraction) -> Matrix:
    """Return G − t·I."""
    return [
        [value - shift if i == j else value for j, value in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def _pair_with_zero_diagonal(a: Matrix, active: Sequence[int]) -> tuple[int, int] | None:
    for position, i in enumerate(active):
        for j in active[position + 1 :]:
            if a[i][j] != 0:
                return i, j
    return None


def inertia(matrix: Matrix) -> tuple[int, int, int]:
    """Return how many eigenvalues of a symmetric rational matrix are positive, negative and zero.

    Congruence by symmetric elimination keeps the signs (Sylvester). Where every remaining diagonal
    entry is zero, a block [[0, b], [b, 0]] is eliminated: one eigenvalue of each sign.
    """
    a = [row[:] for row in matrix]
    active = list(range(len(a)))
    positive = negative = 0
    while active:
        pivot = next((i for i in active if a[i][i] != 0), None)
        if pivot is not None:
            positive, negative = (
                (positive + 1, negative) if a[pivot][pivot] > 0 else (positive, negative + 1)
            )
            active.remove(pivot)
            for i in active:
                factor = a[i][pivot] / a[pivot][pivot]
                # Most entries of sparse integer matrices stay 0, and fractions are slow.
                if factor:
                    for j in active:
                        a[i][j] -= factor * a[pivot][j]
            continue
        pair = _pair_with_zero_diagonal(a, active)
        if pair is None:
            break
        p, q = pair
        positive, negative = positive + 1, negative + 1
        active = [i for i in active if i not in pair]
        b = a[p][q]
        for i in active:
            for j in active:
                # Schur complement of [[0, b], [b, 0]].
                a[i][j] -= (a[i][p] * a[q][j] + a[i][q] * a[p][j]) / b
    return positive, negative, len(a) - positive - negative


def exact_rank(
    features: NDArray[Any],
    eps: float | Fraction,
    weights: NDArray[Any] | None = None,
    measure: str = "raw",
) -> int:
    """Count #{k : λ_k > ε} exactly (D1)."""
    return inertia(shifted(exact_gram(features, weights, measure), Fraction(eps)))[0]


def is_positive_definite(matrix: Matrix) -> bool:
    """Decide exactly whether a symmetric rational matrix is positive definite."""
    return inertia(matrix)[0] == len(matrix)


def is_positive_semidefinite(matrix: Matrix) -> bool:
    """Decide exactly whether a symmetric rational matrix is positive semidefinite."""
    return inertia(matrix)[1] == 0


def squared_distance(columns: Matrix, goals: Matrix) -> Fraction:
    """Return Σ_l dist²(goal_l, span of the columns) by rational Gram–Schmidt."""
    basis: Matrix = []
    total = Fraction(0)
    for position, vector in enumerate([*columns, *goals]):
        rest = vector
        for direction in basis:
            length = sum((x * x for x in direction), Fraction(0))
            share = sum((a * b for a, b in zip(direction, rest, strict=True)), Fraction(0))
            rest = [a - share / length * b for a, b in zip(rest, direction, strict=True)]
        if position >= len(columns):
            total += sum((x * x for x in rest), Fraction(0))
        elif any(rest):
            basis.append(rest)
    return total
