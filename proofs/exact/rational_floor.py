"""F1–F5 in rational arithmetic, for features whose eigenvectors are rational (`KnownSpectrum`).

Norms enter through their squares, and an inequality a ≤ b + c between square roots of rationals is
decided by squaring, so nothing is rounded anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from epsrank.proofs.exact import oracle
from epsrank.proofs.strategies.spectra import KnownSpectrum
from epsrank.theory.numbers.arrays import Matrix

_ZERO = Fraction(0)


def root_at_most_sum(square: Fraction, first: Fraction, second: Fraction) -> bool:
    """Decide √a ≤ √b + √c for rationals ≥ 0."""
    # Squaring once: a − b − c ≤ 2√(bc); a second time where the left side is positive.
    rest = square - first - second
    return rest <= 0 or rest * rest <= 4 * first * second


@dataclass(frozen=True)
class RationalProblem:
    """Everything that F1–F5 speak of, as fractions."""

    #: λ_1 ≥ … ≥ λ_n, and λ_{n+1} = 0.
    eigenvalues: tuple[Fraction, ...]
    #: ‖u − u*‖².
    loss: Fraction
    #: ‖W‖_F².
    norm: Fraction
    #: ‖u − P_p u‖², from the projection (not from the formula of F1).
    tails: tuple[Fraction, ...]
    #: Σ_{k>p} λ_k ‖q_kᵀW‖².
    spectral_tails: tuple[Fraction, ...]
    #: d_p².
    distances: tuple[Fraction, ...]

    def rank(self, eps: Fraction) -> int:
        """Return r_ε."""
        return sum(value > eps for value in self.eigenvalues[:-1])

    def floor_holds(self, p: int, tail: Fraction) -> bool:
        """Decide d_p ≤ ‖u − u*‖ + √t ‖W‖_F, which is F2 with t = λ_{p+1} or ε."""
        return root_at_most_sum(self.distances[p], self.loss, tail * self.norm)

    def rank_budget(self, eps: Fraction) -> int:
        """Return min{p : d_p ≤ δ + √ε B} for δ² the loss and B = ‖W‖_F (F5)."""
        return next(
            (p for p in range(len(self.distances)) if self.floor_holds(p, eps)),
            len(self.distances),
        )


def _norm(matrix: oracle.Matrix) -> Fraction:
    return sum((value * value for row in matrix for value in row), _ZERO)


def _minus(first: oracle.Matrix, second: oracle.Matrix) -> oracle.Matrix:
    return [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(first, second, strict=True)]


def _distances(directions: oracle.Matrix, goal: oracle.Matrix) -> tuple[Fraction, ...]:
    """Return dist²(goal, span of the first p directions) for p = 0…n; directions are orthogonal."""
    left = goal
    found = [_norm(left)]
    for direction in directions:
        length = sum((x * x for x in direction), _ZERO)
        if length:
            shares = [
                sum((a * b for a, b in zip(direction, column, strict=True)), _ZERO) / length
                for column in zip(*left, strict=True)
            ]
            left = _minus(left, [[x * share for share in shares] for x in direction])
        found.append(_norm(left))
    return tuple(found)


def rational_problem(known: KnownSpectrum, target: Matrix, coefficients: Matrix) -> RationalProblem:
    """Compute every number of F1–F5 exactly, under raw unit weights."""
    features = oracle.rational(known.features)
    goal, head = oracle.rational(target), oracle.rational(coefficients)
    vectors = oracle.transpose(oracle.rational(known.eigenvectors))
    output = oracle.product(features, head)
    # ψ_k up to a factor: Φ v_k. They are orthogonal because the v_k are eigenvectors.
    directions = oracle.transpose(oracle.product(features, oracle.transpose(vectors)))
    along = oracle.product(vectors, head)
    parts = [
        value * _norm([row]) / _norm([vector])
        for value, row, vector in zip(known.eigenvalues, along, vectors, strict=True)
    ]
    return RationalProblem(
        eigenvalues=(*known.eigenvalues, _ZERO),
        loss=_norm(_minus(output, goal)),
        norm=_norm(head),
        tails=_distances(directions, output),
        spectral_tails=tuple(sum(parts[p:], _ZERO) for p in range(len(parts) + 1)),
        distances=_distances(directions, goal),
    )
