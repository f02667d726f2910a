"""Eigenvalues of the continuous Gram matrix in balls, and the count above ε."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from flint import arb, arb_mat, ctx

from epsrank.theory.continuous.gram import ContinuousGram, continuous_gram, scaled
from epsrank.theory.continuous.pieces import Piece
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import exponent_of
from epsrank.theory.floor.certified.ball_spectrum import BallSpectrum, enclosed_spectrum
from epsrank.theory.floor.certified.refined_basis import refined_basis
from epsrank.theory.numbers.dyadic import power_of_two, to_fmpq
from epsrank.theory.numbers.interval import Interval, from_ball
from epsrank.theory.rank.routes.ball import positive_inertia

ContinuousMeasure = Literal["volume", "mean"]


@dataclass(frozen=True, eq=False)
class ContinuousProblem:
    """min ‖φβ − u*‖² in L²(Ω), in balls of one precision."""

    #: Where it comes from.
    gram: ContinuousGram
    #: ∫ f fᵀ dμ, in the measure.
    joint: Any
    #: Verified eigen-structure of the first n functions, with the moments of the last one.
    spectrum: BallSpectrum
    #: Approximate eigenvectors, as points.
    basis: Any
    #: G in units of `spectrum`.
    features: Any
    #: ‖u*‖²; 0 where there is no target.
    target_norm: Interval

    @property
    def target_in_span(self) -> bool:
        """Not known for an integral."""
        return False

    def nullity_at(self, eps: Fraction) -> int:
        """Return 0: whether an eigenvalue of an integral equals ε is not decided by balls."""
        del eps
        return 0

    def loss(self, coefficients: Any) -> Interval:
        """Enclose ‖φβ − u*‖² = cᵀJc for c = (β, −1)."""
        with ctx.workprec(self.gram.bits + 96):
            column = arb_mat([[arb(x)] for x in [*coefficients, -1.0]])
            return from_ball((column.transpose() * self.joint * column)[0, 0], non_negative=True)

    def count_above(self, eps: Fraction) -> int | None:
        """Count #{k : λ_k > ε} by LDLᵀ of Vᵀ(G − εI)V in balls, any V (Sylvester).

        It holds for every matrix inside the balls; None where a pivot's ball holds 0.
        """
        with ctx.workprec(self.gram.bits + 96):
            shift = arb(to_fmpq(eps / self.spectrum.unit))
            shifted = self.features.tolist()
            for k, row in enumerate(shifted):
                row[k] -= shift
            rows = (self.basis.transpose() * arb_mat(shifted) * self.basis).tolist()
            # Blocks are eliminated in this order, without pivoting between them: large ones first.
            order = sorted(range(len(rows)), key=lambda k: -exponent_of(rows[k][k]))
            return positive_inertia(arb_mat([[rows[i][j] for j in order] for i in order]))


def length_factor(low: float, high: float, measure: str) -> Fraction:
    """Return what one unit of Lebesgue measure weighs: 1 (`volume`) or 1/|Ω| (`mean`)."""
    if measure not in get_args(ContinuousMeasure):
        raise InputError("measure", f"is {measure!r}", "choose 'volume' (L²(Ω)) or 'mean'")
    return Fraction(1) if measure == "volume" else 1 / (Fraction(high) - Fraction(low))


def continuous_problem(
    system: AnalyticSystem,
    low: float,
    high: float,
    measure: str,
    bits: int,
    pieces: tuple[Piece, ...],
) -> ContinuousProblem:
    """Enclose the problem over Ω = [low, high] at one precision."""
    gram = continuous_gram(system, low, high, bits, pieces)
    joint = scaled(gram, length_factor(low, high, measure))
    n = system.n_features
    rows = joint.tolist()
    largest = max(exponent_of(rows[k][k]) for k in range(n))
    # The largest entry of G/unit lies in [1, 2), as `refined_basis` expects it, unless G is 0 to
    # within its balls.
    unit = power_of_two(max(largest, -bits) - 1)
    with ctx.workprec(bits + 96):
        inverse = arb(to_fmpq(1 / unit))
        feature_gram = arb_mat([[x * inverse for x in row[:n]] for row in rows[:n]])
        root = inverse.sqrt()
        zero = [arb(0)]
        last = [[row[n] * root] if len(row) > n else zero for row in rows[:n]]
        refined = refined_basis(feature_gram, bits - 16)
        spectrum = enclosed_spectrum(
            feature_gram,
            arb_mat(last),
            refined.vectors,
            rank=n,
            unit=unit,
            precision=bits,
            trouble=refined.trouble,
        )
    norm = from_ball(rows[n][n], non_negative=True) if len(rows) > n else from_ball(arb(0))
    return ContinuousProblem(gram, joint, spectrum, refined.vectors, feature_gram, norm)
