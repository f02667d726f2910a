"""The links of the chain decided by enclosures: at most, above, or left open by this precision."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from flint import arb, ctx

from epsrank.theory.floor.certified.ball_distance import Distances, distances
from epsrank.theory.floor.certified.ball_reachable import ReachableEnclosure, reachable
from epsrank.theory.floor.certified.ball_spectrum import BallSpectrum
from epsrank.theory.floor.certified.exact_data import LeastSquaresData
from epsrank.theory.numbers.dyadic import to_fmpq
from epsrank.theory.numbers.interval import Interval, from_ball, hull, json_float, maximum, nearest
from epsrank.theory.words import plural

State = Literal["strict", "within enclosure", "violated", "unresolved"]


@dataclass(frozen=True)
class Verdict:
    """One inequality a ≤ b between enclosed numbers."""

    #: The inequality in words.
    claim: str
    #: ``strict``: a < b, proved from disjoint enclosures. ``within enclosure``: they overlap by at
    #: most the tolerance (what an equality looks like). ``violated``: a > b, proved.
    #: ``unresolved``: they overlap more widely than the tolerance.
    state: State
    #: a and b.
    left: Interval
    right: Interval
    #: Proved: a ≤ b + slack. 0 where strict.
    slack: Fraction

    @property
    def holds(self) -> bool:
        """Whether a ≤ b was proved, up to `slack`."""
        return self.state in ("strict", "within enclosure")

    def __str__(self) -> str:
        text = f"{self.claim}: {self.state}, {self.left} against {self.right}"
        return text if self.slack == 0 else f"{text} (slack {nearest(self.slack):.1e})"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {
            "claim": self.claim,
            "state": self.state,
            "left": self.left.to_json(),
            "right": self.right.to_json(),
            "slack": json_float(self.slack, +1),
        }


def at_most(claim: str, left: Interval, right: Interval, tolerance: Fraction) -> Verdict:
    """Decide a ≤ b from enclosures."""
    slack = max(left.upper - right.lower, Fraction(0))
    state: State
    if left.upper < right.lower:
        state = "strict"
    elif left.lower > right.upper:
        state = "violated"
    else:
        state = "within enclosure" if slack <= tolerance else "unresolved"
    return Verdict(claim, state, left, right, slack)


def decide_chain(
    data: LeastSquaresData,
    spectrum: BallSpectrum,
    eps: float,
    loss: Interval,
    budget: Fraction,
    tolerance: Fraction,
) -> dict[str, Any]:
    """Evaluate every link of the chain at one precision."""
    found: Distances = distances(data, spectrum)
    zero = Interval(Fraction(0), Fraction(0))
    tails = [*spectrum.eigenvalues, zero]
    floors = [
        floor_squared(d, tail, budget, spectrum.precision)
        for d, tail in zip(found.squared, tails, strict=True)
    ]
    envelope = maximum(floors)
    lower, upper = rank_interval(data, spectrum, Fraction(eps))
    threshold = Interval(Fraction(eps), Fraction(eps))
    floor = hull(
        [
            floor_squared(found.squared[r], threshold, budget, spectrum.precision)
            for r in range(lower, upper + 1)
        ]
    )
    value: ReachableEnclosure = reachable(data, spectrum, found.squared[-1], budget)
    # Relative to ‖u*‖²; for u* = 0 to the loss.
    scale = tolerance * (data.target_norm.upper or loss.upper or Fraction(1))
    verdicts = (
        at_most("floor² ≤ envelope²", floor, envelope, scale),
        at_most("envelope² ≤ V(B)", envelope, value.value, scale),
        at_most("V(B) ≤ loss", value.value, loss, scale),
        at_most("floor² ≤ loss", floor, loss, scale),
    )
    return {
        "spectrum": tuple(spectrum.eigenvalues),
        "distances_squared": tuple(found.squared),
        "separated": tuple(found.separated),
        "floors": tuple(floors),
        "envelope": envelope,
        "envelope_at": max(range(len(floors)), key=lambda p: (floors[p].lower, -p)),
        "floor": floor,
        "reachable": value.value,
        "multiplier": value.multiplier,
        "rank_lower": lower,
        "rank_upper": upper,
        "verdicts": verdicts,
        "precision": spectrum.precision,
        "reason": _unresolved(verdicts, found, lower, upper, spectrum),
    }


def floor_squared(
    distance_squared: Interval, tail: Interval, budget: Fraction, precision: int
) -> Interval:
    """Enclose (d − √t·B)₊² for t an eigenvalue λ_{p+1} or ε (F2)."""
    with ctx.workprec(precision + 96):
        ends = []
        # Increasing in d², decreasing in t: each end comes from one corner.
        for d, t in (
            (distance_squared.lower, tail.upper),
            (distance_squared.upper, tail.lower),
        ):
            if d <= t * budget:
                ends.append(Interval(Fraction(0), Fraction(0)))
                continue
            if t * budget == 0:
                ends.append(Interval(d, d))
                continue
            root = (arb(to_fmpq(d)).sqrt() - arb(to_fmpq(t * budget)).sqrt()).nonnegative_part()
            ends.append(from_ball(root * root, non_negative=True))
    return Interval(ends[0].lower, ends[1].upper)


def rank_interval(data: LeastSquaresData, spectrum: BallSpectrum, eps: Fraction) -> tuple[int, int]:
    """Return bounds of r_ε from the enclosures, with exact equality λ = ε recognised."""
    lower = sum(interval.lower > eps for interval in spectrum.eigenvalues)
    upper = sum(interval.upper > eps for interval in spectrum.eigenvalues)
    # If as many eigenvalues equal ε as enclosures contain it, none of those counts: D1 is strict.
    touching = sum(eps in interval for interval in spectrum.eigenvalues)
    if lower < upper and data.nullity_at(eps) == touching:
        upper = lower
    return lower, upper


def _unresolved(
    verdicts: tuple[Verdict, ...],
    found: Distances,
    lower: int,
    upper: int,
    spectrum: BallSpectrum,
) -> str:
    """Say what the precision did not decide."""
    at = f"at {plural(spectrum.precision, 'bit')}"
    if spectrum.trouble:
        at += f" ({spectrum.trouble})"
    for verdict in verdicts:
        if verdict.state == "unresolved":
            return f"{verdict.claim} overlaps by {nearest(verdict.slack):.1e} {at}"
    if lower < upper:
        return f"ε lies inside {upper - lower} eigenvalue enclosures {at}"
    if not found.resolved:
        return f"an eigenvalue of the exact rank {spectrum.rank} is not separated from 0 {at}"
    return ""
