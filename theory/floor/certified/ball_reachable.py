"""V(B) = min_{‖β‖≤B} ‖φ·β − u*‖² from both sides, without assuming anything about the solver (F3).

* below: weak duality, V(B) ≥ D(μ) = ‖u*‖² − tr bᵀ(G + μI)⁻¹b − μB² for all μ ≥ 0; and V(B) ≥ d_n².
* above: the loss of any one vector of norm at most B.

The multiplier comes from Newton's iteration for 1/‖β(μ)‖ = 1/B in the nearly diagonal basis; a poor
one only widens the enclosure. All quantities are in the units of `BallSpectrum` (μ in `unit`,
norms of β in 1/√unit).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, ctx

from epsrank.theory.floor.certified.ball_spectrum import BallSpectrum
from epsrank.theory.floor.certified.exact_data import LeastSquaresData, to_ball
from epsrank.theory.numbers.dyadic import to_fmpq
from epsrank.theory.numbers.interval import Interval, from_ball

# Of an iteration that nobody trusts: what it finds is enclosed afterwards.
_NEWTON_STEPS = 400


@dataclass(frozen=True)
class ReachableEnclosure:
    """V(B) and the multiplier that proves it."""

    #: V(B).
    value: Interval
    #: The μ of the lower bound, exactly as used; 0 where the norm bound is not active.
    multiplier: Fraction


def reachable(
    data: LeastSquaresData, spectrum: BallSpectrum, best: Interval, norm_squared: Fraction
) -> ReachableEnclosure:
    """Enclose V(B)."""
    target = data.target_norm
    if norm_squared == 0 or spectrum.rank == 0:
        return ReachableEnclosure(target, Fraction(0))
    with ctx.workprec(spectrum.precision + 96):
        total = to_ball(target)
        budget = arb(to_fmpq(norm_squared * spectrum.unit))
        multiplier = _multiplier(spectrum, budget)
        lowers, uppers = [best.lower], [target.upper]
        # A tiny μ stands in for 0 where eigenvalues are not separated from 0 (singular integrals).
        tiny = Fraction(1, 2 ** (spectrum.precision // 2))
        for mu in {multiplier, tiny, Fraction(0)}:
            ball = arb(to_fmpq(mu))
            explained = _ridge_explained(spectrum, ball) if mu > 0 else None
            if explained is not None:
                lowers.append(from_ball(total - explained - ball * budget).lower)
            loss = _feasible_loss(spectrum, total, ball, budget)
            if loss is not None:
                uppers.append(from_ball(loss).upper)
    lower = max(lowers)
    return ReachableEnclosure(Interval(lower, max(lower, min(uppers))), multiplier * spectrum.unit)


def _multiplier(spectrum: BallSpectrum, budget: Any) -> Fraction:
    """Solve the secular equation ‖β(μ)‖² = B² in the diagonal model, μ ≥ 0."""
    rank = spectrum.rank
    s = [ball.mid() for ball in spectrum.diagonal[:rank]]
    m = [ball.mid() for ball in spectrum.moment_norms()[:rank]]
    if not all(x > 0 for x in s):
        return Fraction(0)
    bound = budget.mid()
    mu = arb(0)
    for _ in range(_NEWTON_STEPS):
        shifted = [x + mu for x in s]
        squares = [(b / (x * x)).mid() for b, x in zip(m, shifted, strict=True)]
        norm = sum(squares, arb(0)).mid()
        if not norm > bound:
            break
        slope = sum((q / x for q, x in zip(squares, shifted, strict=True)), arb(0)).mid()
        # ‖β(μ)‖⁻¹ is concave and increasing: Newton from the left never oversteps its root.
        step = (norm / slope * ((norm / bound).sqrt() - 1)).mid()
        mu = (mu + step).mid()
        if step < mu * arb(2) ** (-spectrum.precision):
            break
    return from_ball(mu, non_negative=True).lower


def _ridge_explained(spectrum: BallSpectrum, mu: Any) -> Any:
    """Enclose tr mᵀ(S + μI)⁻¹m, or None where the couplings are too strong against μ."""
    shifted = [s + mu for s in spectrum.diagonal]
    if not all(x > 0 for x in shifted):
        return None
    inverse = [1 / x for x in shifted]
    coupling = arb(0)
    for i, row in enumerate(spectrum.couplings):
        part = sum((row[j] * row[j] * inverse[j] for j in range(i)), arb(0))
        coupling += 2 * part * inverse[i]
    eta = arb(coupling.abs_upper()).sqrt()
    if not eta < arb("0.5"):
        return None
    eta = arb(eta.abs_upper())
    value = sum((m * x for m, x in zip(spectrum.moment_norms(), inverse, strict=True)), arb(0))
    return (value / (1 + eta)).union(value / (1 - eta))


def _feasible_loss(spectrum: BallSpectrum, total: Any, mu: Any, budget: Any) -> Any:
    """Enclose the loss of β = W(diag(s) + μ)⁻¹Wᵀb, shortened to norm B if it is longer.

    None where there is no vector of norm at most B to try.
    """
    rank = spectrum.rank
    rows = spectrum.moments.tolist()
    shifted = [(s + mu).mid() for s in spectrum.diagonal[:rank]]
    if not all(x > 0 for x in shifted):
        return None
    zeros = [arb(0)] * len(rows[0])
    trial = [
        [(m / shifted[k]).mid() for m in row] if k < rank else zeros for k, row in enumerate(rows)
    ]
    length = sum((y * y for row in trial for y in row), arb(0))
    if not length <= budget:
        # Rounded down, so that the shortened vector stays inside the ball.
        factor = arb((budget / length).lower()).sqrt().lower()
        trial = [[(y * factor).mid() for y in row] for row in trial]
        length = sum((y * y for row in trial for y in row), arb(0))
        shrink = 1 - arb(2) ** (-spectrum.precision - 64)
        while not length <= budget:
            trial = [[(y * shrink).mid() for y in row] for row in trial]
            length = sum((y * y for row in trial for y in row), arb(0))
            # Ever more at a time, so that the loop ends soon.
            shrink = shrink * shrink
    vectors = arb_mat(trial)
    image = (spectrum.matrix * vectors).entries()
    quadratic = sum((x * y for x, y in zip(vectors.entries(), image, strict=True)), arb(0))
    linear = sum(
        (x * y for x, y in zip(vectors.entries(), spectrum.moments.entries(), strict=True)),
        arb(0),
    )
    return total - 2 * linear + quadratic
