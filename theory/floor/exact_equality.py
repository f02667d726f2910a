"""F4 in rational arithmetic: whether stored numbers attain the floor to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epsrank.theory.floor.attaining import AttainingFamily


@dataclass(frozen=True)
class ExactEquality:
    """What rational arithmetic finds for an `AttainingFamily`.

    Attributes
    ----------
    loss : Fraction
        ‖φ·β − u*‖².
    distance_square : Fraction
        d_p².
    norm_square : Fraction
        ‖β‖².
    eps : Fraction
        ε.
    gram_holds : bool
        Whether Φᵀ diag(w) Φ has the stated eigenvalues, seen on its eigenvectors.
    """

    loss: Fraction
    distance_square: Fraction
    norm_square: Fraction
    eps: Fraction
    gram_holds: bool

    @property
    def holds(self) -> bool:
        """Whether loss = (d_p − √ε‖β‖)² exactly, with d_p ≥ √ε‖β‖ and the stated spectrum.

        (a − b)² = s for a, b ≥ 0 without square roots: a² + b² − s = 2ab ≥ 0, squared.
        """
        a, b = self.distance_square, self.eps * self.norm_square
        twice = a + b - self.loss
        return self.gram_holds and a >= b and twice >= 0 and twice * twice == 4 * a * b


def verify_equality(family: AttainingFamily) -> ExactEquality:
    """Evaluate loss, d_p², ‖β‖² and G q_k = λ_k q_k in rational arithmetic.

    Parameters
    ----------
    family : AttainingFamily
        The stored numbers.

    Returns
    -------
    ExactEquality
        What they amount to, without rounding.
    """
    weights = [Fraction(w) for w in family.weights.tolist()]
    rows = [[Fraction(x) for x in row] for row in family.features.tolist()]
    target = [Fraction(x) for x in family.target.tolist()]
    beta = [Fraction(x) for x in family.coefficients.tolist()]
    network = [_dot(row, beta) for row in rows]
    loss = sum(
        (w * (u - t) ** 2 for w, u, t in zip(weights, network, target, strict=True)), Fraction()
    )
    distance = sum((w * t * t for w, t in zip(weights, target, strict=True)), Fraction())
    gram_holds = True
    # Row k of the first min(N, n) samples is q_k, up to its place; ψ_k = φ·q_k.
    limit = min(len(rows), family.eigenvalues.size)
    columns = [list(column) for column in zip(*rows, strict=True)]
    for k, vector in enumerate(rows[:limit]):
        values = [_dot(row, vector) for row in rows]
        weighted = [w * v for w, v in zip(weights, values, strict=True)]
        image = [_dot(column, weighted) for column in columns]
        value = Fraction(float(family.eigenvalues[k]))
        gram_holds &= image == [value * x for x in vector] and _dot(vector, vector) == 1
        gram_holds &= all(_dot(vector, other) == 0 for other in rows[:k])
        # u* must be orthogonal to ψ_1 … ψ_p, so that d_p = ‖u*‖.
        if k < family.rank:
            gram_holds &= _dot(weighted, target) == 0
            gram_holds &= value > Fraction(family.eps)
    gram_holds &= Fraction(float(family.eigenvalues[family.rank])) == Fraction(family.eps)
    return ExactEquality(loss, distance, _dot(beta, beta), Fraction(family.eps), gram_holds)


def _dot(left: list[Fraction], right: list[Fraction]) -> Fraction:
    """Return Σ left_i right_i exactly."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction())
