"""Numbers computed elsewhere, held against a certificate: what a corrupted record looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.certificate import ChainCertificate
from epsrank.theory.floor.certified.chain import State, Verdict
from epsrank.theory.numbers.interval import Interval, nearest, point
from epsrank.theory.words import plural


def audit(
    certificate: ChainCertificate,
    *,
    loss: float | None = None,
    reachable: float | None = None,
    envelope: float | None = None,
    floor: float | None = None,
    spectrum: Sequence[float] | Any = None,
    rank: int | None = None,
    rtol: float = 1e-9,
    norm_tolerance: float = 0.0,
) -> tuple[Verdict, ...]:
    """Hold claimed numbers against certified ones.

    A claim x of a certified quantity in [a, b] is ``within enclosure`` if its distance to [a, b] is
    at most the rounding allowed, and ``violated`` otherwise. Losses (all squared norms) may be off
    by rtol·‖u*‖², eigenvalues by rtol·λ_1, since that is what float64 routes achieve; a rank may
    not be off at all.

    Claims are ‖φ·β − u*‖², V(B), max_p floor_p² and (d_r − √ε B)₊² in the certificate's measure.
    `norm_tolerance` is rounding allowed on the square roots of losses besides, such as
    `LossFloor.tolerance`, which grows with ‖β‖: least squares on nearly dependent features has a
    loss that float64 forms from large terms. There is one verdict per claim; that on a spectrum is
    the one on its worst eigenvalue.
    """
    for name, tolerance in (("rtol", rtol), ("norm_tolerance", norm_tolerance)):
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise InputError(name, f"is {tolerance}", "pass a number ≥ 0")
    # For u* = 0 the loss is the scale.
    allowed = Fraction(rtol) * (certificate.target_norm_squared or certificate.loss)
    claims = (
        ("loss", loss, point(certificate.loss)),
        ("V(B)", reachable, certificate.reachable),
        ("envelope²", envelope, certificate.envelope),
        ("floor²", floor, certificate.floor),
    )
    verdicts = [
        _agrees(
            f"{name} as claimed",
            float(claim),
            truth,
            max(allowed, _square_allowance(truth, norm_tolerance)),
        )
        for name, claim, truth in claims
        if claim is not None
    ]
    if spectrum is not None:
        verdicts.append(_spectrum_agrees(certificate, [float(x) for x in spectrum], rtol))
    if rank is not None:
        truth = Interval(Fraction(certificate.rank_lower), Fraction(certificate.rank_upper))
        verdicts.append(_agrees("rank as claimed", float(rank), truth, Fraction(0)))
    return tuple(verdicts)


def _square_allowance(truth: Interval, tolerance: float) -> Fraction:
    """Return how far x² may be from y² if |x − y| ≤ τ:  2yτ + τ²."""
    tau = Fraction(tolerance)
    root = math.sqrt(nearest(truth.upper))
    return 2 * Fraction(root) * tau + tau * tau if math.isfinite(root) else Fraction(0)


def _spectrum_agrees(certificate: ChainCertificate, claimed: list[float], rtol: float) -> Verdict:
    """Return the verdict of the worst eigenvalue."""
    if len(claimed) != certificate.n_features:
        raise InputError(
            "spectrum",
            f"has {plural(len(claimed), 'entry')}, but there are "
            f"{plural(certificate.n_features, 'neuron')}",
            "pass all eigenvalues, zeros included",
        )
    allowed = Fraction(rtol) * certificate.spectrum[0].upper
    verdicts = [
        _agrees(f"λ_{k} as claimed", value, truth, allowed)
        for k, (value, truth) in enumerate(zip(claimed, certificate.spectrum, strict=True), start=1)
    ]
    return max(verdicts, key=lambda verdict: (verdict.state == "violated", verdict.slack))


def _agrees(name: str, claim: float, truth: Interval, allowed: Fraction) -> Verdict:
    """Decide whether a claimed number lies within `allowed` of an enclosure."""
    if not math.isfinite(claim):
        return Verdict(f"{name} ({claim})", "violated", truth, truth, Fraction(0))
    number = Fraction(claim)
    distance = max(truth.lower - number, number - truth.upper, Fraction(0))
    state: State = "within enclosure" if distance <= allowed else "violated"
    return Verdict(name, state, point(number), truth, distance)
