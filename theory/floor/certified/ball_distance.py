"""Enclosures of d_p = dist(u*, Ψ_p) for every p, valid for each choice of Ψ_p.

For the split W = [W₁ W₂] after p columns the features φW₁ span a space whose distance to u* is
d² = ‖u*‖² − tr m₁ᵀS₁₁⁻¹m₁ (m = Wᵀb). With S₁₁ = diag(s) + E₁₁ and η = ‖s^{-1/2} E₁₁ s^{-1/2}‖_F < 1
the trace lies between Σ‖m_k‖²/s_k divided by 1 + η and by 1 − η.

That encloses d_p for *this* basis, for which F2 holds word for word (the proof only needs the
component of u orthogonal to φW₁). Where λ_p and λ_{p+1} are separated, Ψ_p is unique and is added
to the enclosure: by Davis & Kahan it is spanned by W[I; X], ‖X‖ ≤ τ = tan θ, sin θ ≤ ‖E‖_F/gap,
which moves m₁ by at most τ‖m₂‖ and S₁₁ by at most 2τ‖E‖ + τ²‖S₂₂‖. Where they are not separated,
Ψ_p is not unique, and the enclosure is that of one choice, marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from epsrank.theory.floor.certified.ball_spectrum import BallSpectrum
from epsrank.theory.floor.certified.exact_data import LeastSquaresData, to_ball
from epsrank.theory.numbers.interval import Interval, from_ball


@dataclass(frozen=True, eq=False)
class Distances:
    """d_p² for p = 0…n."""

    #: d_p².
    squared: list[Interval]
    #: Whether λ_p > λ_{p+1} is proved, so that Ψ_p is unique and the interval holds for it.
    separated: list[bool]
    #: Whether every interval comes from the arithmetic; False where the precision ran out and only
    #: d_n² ≤ d_p² ≤ d_{p−1}² is known for some p.
    resolved: bool


def distances(data: LeastSquaresData, spectrum: BallSpectrum) -> Distances:
    """Enclose d_0² … d_n²."""
    size, rank = spectrum.size, spectrum.rank
    target = data.target_norm
    squared = [target]
    separated = [True]
    resolved = True
    with ctx.workprec(spectrum.precision + 96):
        norms = spectrum.moment_norms()
        total = to_ball(target)
        tails = _tails(norms)
        explained, coupling = arb(0), arb(0)
        for p in range(1, rank + 1):
            s_p = spectrum.diagonal[p - 1]
            # Every later sum contains this term: where it is unknown, so are they.
            resolved = resolved and bool(s_p > 0)
            ball = None
            if resolved:
                explained += norms[p - 1] / s_p
                coupling += _coupling_growth(spectrum, p - 1)
                ball = _enclosed(explained, coupling.sqrt())
                resolved = ball is not None
            unique = p == rank
            if ball is not None and not unique:
                moved = _moved_subspace(spectrum, p, ball, tails[p])
                unique = moved is not None
                ball = ball if moved is None else ball.union(moved)
            if ball is None:
                # For one basis, distances only shrink as p grows.
                squared.append(Interval(Fraction(0), squared[-1].upper))
            else:
                found = from_ball(total - ball, non_negative=True)
                # No distance exceeds ‖u*‖.
                cap = target.upper
                squared.append(Interval(min(found.lower, cap), min(found.upper, cap)))
            separated.append(unique)
    if data.target_in_span:
        squared[rank] = Interval(Fraction(0), Fraction(0))
    # ψ_p = 0 beyond the rank: nothing is added to the span.
    squared += [squared[rank]] * (size - rank)
    separated += [True] * (size - rank)
    return Distances(squared, separated, resolved)


def _enclosed(value: Any, eta: Any) -> Any:
    """Return a ball around [value/(1+η), value/(1−η)], or None unless η < 1/2."""
    if not eta < arb("0.5"):
        return None
    eta = arb(eta.abs_upper())
    return (value / (1 + eta)).union(value / (1 - eta))


def _coupling_growth(spectrum: BallSpectrum, last: int) -> Any:
    """Return what row `last` adds to ‖s^{-1/2} E₁₁ s^{-1/2}‖_F²."""
    row, s = spectrum.couplings[last], spectrum.diagonal
    total = arb(0)
    for j in range(last):
        total += row[j] * row[j] / s[j]
    return 2 * total / s[last]


def _moved_subspace(spectrum: BallSpectrum, p: int, value: Any, tail: Any) -> Any:
    """Enclose the explained part of ‖u*‖² for the true Ψ_p, or None where it is not separated."""
    coupling = spectrum.coupling_norm
    smallest = _lower(spectrum.diagonal[:p]) - coupling
    gap = smallest - _upper(spectrum.diagonal[p:]) - coupling
    if not (gap > 0 and smallest > 0):
        return None
    sine = coupling / gap
    if not sine < arb("0.5"):
        return None
    # tan θ = sin θ/√(1 − sin² θ) < 2 sin θ for sin θ < ½.
    tangent = 2 * arb(sine.abs_upper())
    norm = _upper(spectrum.diagonal[p:]) + coupling
    moved = 2 * tangent * coupling + tangent * tangent * norm
    eta = arb((moved / smallest).abs_upper())
    if not eta < arb("0.5"):
        return None
    shift = arb((tangent * (tail / smallest).sqrt()).abs_upper())
    root = arb(value.upper()).sqrt()
    low = arb(value.lower()).nonnegative_part().sqrt() - shift
    low = low.nonnegative_part()
    return (low * low / (1 + eta)).union((root + shift) * (root + shift) / (1 - eta))


def _tails(norms: list[Any]) -> list[Any]:
    """Return Σ_{k>p} ‖m_k‖² for p = 0…n."""
    sums = [arb(0)]
    for norm in reversed(norms):
        sums.append(sums[-1] + arb(norm.abs_upper()))
    sums.reverse()
    return sums


def _lower(balls: list[Any]) -> Any:
    """Return a lower bound of all balls."""
    return min((ball.lower() for ball in balls), key=_midpoint)


def _upper(balls: list[Any]) -> Any:
    """Return an upper bound of all balls."""
    return max((ball.upper() for ball in balls), key=_midpoint)


def _midpoint(ball: Any) -> Fraction:
    """Return the exact midpoint, for ordering."""
    return from_ball(ball.mid()).lower
