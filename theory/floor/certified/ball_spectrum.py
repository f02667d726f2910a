"""Verified eigen-structure of G in ball arithmetic, from any nearly orthogonal basis.

Let V be any matrix with f = ‖VᵀV − I‖_F ≤ 1/100. Then W = V(VᵀV)^{-1/2} is *exactly* orthogonal and
‖W − V‖₂ ≤ ‖V‖₂((1 − f)^{-1/2} − 1) ≤ f, so entries of V widened by f enclose one orthogonal matrix.
With S = WᵀGW = diag(s) + E, enclosed in balls:

* Weyl (M7): |λ_k − s_k| ≤ ‖E‖_F after sorting;
* interlacing: the norm of the trailing block of S after p rows lies between λ_{p+1} and
  max_{k>p} s_k + ‖E‖_F, so one interval holds both it and λ_{p+1};
* eigenvalues beyond the exact integer rank of G are exactly 0.

Nothing depends on how V was found; a bad V makes wide intervals, never wrong ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, ctx

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import identity
from epsrank.theory.floor.certified.exact_data import ExactData
from epsrank.theory.floor.certified.refined_basis import RefinedBasis, refined_basis
from epsrank.theory.numbers.dyadic import power_of_two, to_fmpq
from epsrank.theory.numbers.interval import Interval, from_ball


@dataclass(frozen=True, eq=False)
class BallSpectrum:
    """S = WᵀGW and Wᵀb for one exactly orthogonal W, in units of the largest entry of G.

    All balls are relative to `unit`: eigenvalues of G are `unit` times those of S.
    """

    #: s_1 … s_n, descending.
    diagonal: list[Any]
    #: Upper bounds of |S_ij|; the diagonal is 0.
    couplings: list[list[Any]]
    #: An upper bound e of ‖E‖_F.
    coupling_norm: Any
    #: S.
    matrix: Any
    #: Wᵀb, with b = Φᵀ diag(w) u* / c divided by √unit.
    moments: Any
    #: λ_1 ≥ … ≥ λ_n, in the measure (units restored).
    eigenvalues: list[Interval]
    #: rank G, exactly.
    rank: int
    #: A power of two times the square of a rational, see above.
    unit: Fraction
    #: Bits that the balls carry.
    precision: int
    #: Empty, or why the basis is worse than asked for.
    trouble: str

    @property
    def size(self) -> int:
        """Number of neurons n."""
        return len(self.diagonal)

    def moment_norms(self) -> list[Any]:
        """Return ‖(Wᵀb)_k‖² for k = 1…n, the sum over outputs."""
        return [sum((x * x for x in row), arb(0)) for row in self.moments.tolist()]


def ball_spectrum(data: ExactData, precision: int) -> BallSpectrum:
    """Refine an eigenbasis of G to about 2^-precision and verify it."""
    unit = _unit(data)
    with ctx.workprec(precision + 96):
        gram = arb_mat(data.gram_integers) * _ball(data.gram_unit / unit)
        if data.rank == 0:
            refined = RefinedBasis(identity(data.n_features), 0)
        else:
            refined = refined_basis(gram, precision + 16)
    return verified_spectrum(data, refined.vectors, precision, refined.trouble)


def verified_spectrum(
    data: ExactData, basis: Any, precision: int, trouble: str = ""
) -> BallSpectrum:
    """Enclose eigenvalues and moments of G from an untrusted basis.

    The basis is nearly orthogonal; columns by descending Rayleigh quotient make the intervals
    narrow.
    """
    unit = _unit(data)
    with ctx.workprec(precision + 96):
        gram = arb_mat(data.gram_integers) * _ball(data.gram_unit / unit)
        # √unit is irrational in general only through c; the moments carry it as a ball.
        moments = arb_mat(data.moment_integers) * (_ball(data.moment_unit) / _ball(unit).sqrt())
    return enclosed_spectrum(
        gram, moments, basis, rank=data.rank, unit=unit, precision=precision, trouble=trouble
    )


def enclosed_spectrum(
    gram: Any,
    moments: Any,
    basis: Any,
    *,
    rank: int,
    unit: Fraction,
    precision: int,
    trouble: str = "",
) -> BallSpectrum:
    """Enclose eigenvalues and moments of every G inside a ball matrix, from an untrusted basis."""
    size = gram.nrows()
    with ctx.workprec(precision + 96):
        defect = _frobenius((basis.transpose() * basis - identity(size)).entries())
        if not defect < arb("0.01"):
            raise InputError(
                "basis",
                "is not orthonormal to 1/100",
                "orthonormalise it first",
            )
        widen = arb(0, defect.upper())
        orthogonal = arb_mat([[x + widen for x in row] for row in basis.tolist()])
        matrix = orthogonal.transpose() * gram * orthogonal
        moments = orthogonal.transpose() * moments
        rows = matrix.tolist()
        couplings = [
            [arb(0) if i == j else arb(rows[i][j].abs_upper()) for j in range(size)]
            for i in range(size)
        ]
        norm = _frobenius([x for row in couplings for x in row])
        diagonal = [rows[k][k] for k in range(size)]
        return BallSpectrum(
            diagonal=diagonal,
            couplings=couplings,
            coupling_norm=norm,
            matrix=matrix,
            moments=moments,
            eigenvalues=_eigenvalues(diagonal, norm, rank, unit),
            rank=rank,
            unit=unit,
            precision=precision,
            trouble=trouble,
        )


def _eigenvalues(diagonal: list[Any], norm: Any, rank: int, unit: Fraction) -> list[Interval]:
    """Return Weyl intervals of the sorted eigenvalues, wide enough for trailing blocks' norms."""
    radius = from_ball(norm).upper
    ends = [from_ball(ball) for ball in diagonal]
    # Smallest lower end so far ≤ (k-th largest lower end), largest upper end from here on ≥ it.
    lowers, uppers = [], []
    running = ends[0].lower
    for end in ends:
        running = min(running, end.lower)
        lowers.append(max(running - radius, Fraction(0)))  # G ⪰ 0
    running = ends[-1].upper
    for end in reversed(ends):
        running = max(running, end.upper)
        uppers.append(running + radius)
    uppers.reverse()
    zero = Interval(Fraction(0), Fraction(0))
    return [
        Interval(low * unit, high * unit) if k < rank else zero
        for k, (low, high) in enumerate(zip(lowers, uppers, strict=True))
    ]


def _unit(data: ExactData) -> Fraction:
    """Return a unit for G in which its largest entry lies in [1, 2)."""
    largest = max(int(data.gram_integers[k, k]) for k in range(data.n_features))
    if largest == 0:
        return Fraction(1)
    return data.gram_unit * power_of_two(largest.bit_length() - 1)


def _frobenius(entries: list[Any]) -> Any:
    """Return an upper bound of the root of the sum of squares."""
    total = arb(0)
    for entry in entries:
        magnitude = arb(entry.abs_upper())
        total += magnitude * magnitude
    return total.sqrt().upper()


def _ball(value: Fraction) -> Any:
    """Return a ball around a rational number at the working precision."""
    return arb(to_fmpq(value))
