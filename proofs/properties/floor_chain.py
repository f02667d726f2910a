"""F1–F5 in float64 against their derived rounding bounds, and in ball arithmetic on small cases."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import assume

from epsrank.proofs.properties.rational_chain import Instance, instances
from epsrank.proofs.strategies import FloorCase, floor_cases, norms
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.certified.certificate import ChainCertificate, certify_chain
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.decomposed.bounds import tail
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.floor.result import LossFloor

_PINNED = (
    # A zero network, an all-zero target, features that vanish, and a fit that is exact.
    FloorCase(np.eye(2), np.ones((2, 1)), np.zeros((2, 1)), 0.25, None, "raw"),
    FloorCase(np.eye(2), np.zeros((2, 1)), np.ones((2, 1)), 1.0, None, "mean"),
    FloorCase(np.zeros((2, 1)), np.ones((2, 1)), np.ones((1, 1)), 1e-6, None, "mean"),
    FloorCase(np.eye(2), np.ones((2, 2)), np.ones((2, 2)), 1e-6, np.array([0.0, 1.0]), "volume"),
)
# Found by search: loss/V is 4e321, beyond float64 and yet finite.
_HUGE_RATIO = FloorCase(
    6.243497100631985e144 * np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]),
    np.array([[0.0], [0.0], [0.0], [2.0**-53]]),
    np.array([[0.0], [1.0]]),
    3.898125604560001e289,
    np.array([0.0, 1.0, 0.0, 1.0]),
    "mean",
)


def _certificate(case: FloorCase) -> ChainCertificate:
    return certify_chain(
        case.features,
        case.target,
        case.coefficients,
        case.eps,
        weights=case.weights,
        measure=case.measure,
        max_precision=1024,
    )


def _result(case: FloorCase, losses: list[float] | None = None) -> LossFloor:
    return loss_floor(
        case.features,
        case.target,
        eps=case.eps,
        coefficients=case.coefficients,
        weights=case.weights,
        measure=case.measure,
        losses=losses,
    )


@states("loss-floor", "reachable-loss", pinned=[{"case": case} for case in _PINNED],
        case=floor_cases())  # fmt: skip
def chain_holds_in_float64(tally: Tally, case: FloorCase) -> None:
    """The chain floor ≤ envelope ≤ √V(‖W‖) ≤ √loss, up to the derived rounding bound (F2, F3)."""
    for link in check_chain(_result(case)).links:
        if link.state == "violated":
            refute(f"{link.name}: {link.smaller!r} > {link.larger!r} + {link.tolerance!r}")
        tally.count(link.state == "strict")


@states("loss-floor", "reachable-loss", pinned=[{"case": case} for case in _PINNED],
        case=floor_cases(6, 4), share=0.25)  # fmt: skip
def chain_holds_in_balls(tally: Tally, case: FloorCase) -> None:
    """The chain floor² ≤ envelope² ≤ V(‖W‖) ≤ loss, decided by ball arithmetic (F2, F3)."""
    for verdict in _certificate(case).verdicts:
        if verdict.state == "violated":
            refute(str(verdict))
        tally.count(verdict.holds)


@states("reachable-loss", pinned=[{"case": _HUGE_RATIO}], case=floor_cases(6, 4), share=0.25)
def readings_follow_the_certified_ratio(tally: Tally, case: FloorCase) -> None:
    """The range that a reading gives to loss/V meets the certified one (F6)."""
    verdict = _result(case).verdict
    certificate = _certificate(case)
    low, high = certificate.reachable.lower, certificate.reachable.upper
    assert verdict.lower is not None
    assert verdict.upper is not None
    # Rounding of the quotient itself, beside the bounds on both norms.
    least, most = verdict.lower * (1 - 1e-12), verdict.upper * (1 + 1e-12)
    above = math.isfinite(most) and certificate.loss > Fraction(most) * high
    # An infinite ratio says that V = 0.
    below = certificate.loss < Fraction(least) * low if math.isfinite(least) else low > 0
    if above or below:
        refute(f"{verdict}; certified: loss {certificate.loss}, V in [{low}, {high}]")
    tally.count(verdict.name != "undetermined")


@states("reachable-loss", pinned=[{"case": _PINNED[0], "norm": 0.5}], case=floor_cases(),
        norm=norms())  # fmt: skip
def reachable_loss_falls_with_the_norm(tally: Tally, case: FloorCase, norm: float) -> None:
    """V(B) is non-increasing in B, V(0) = ‖u*‖² and V(∞) = d_n² (F3, F6)."""
    bounds = sorted((0.0, norm, 2 * norm + 1, math.inf))
    found = [
        loss_floor(
            case.features,
            case.target,
            eps=case.eps,
            norm=bound,
            weights=case.weights,
            measure=case.measure,
        )
        for bound in bounds
    ]
    for less, more in pairwise(found):
        slack = less.tolerance + more.tolerance
        if math.isfinite(slack) and more.reachable_norm > less.reachable_norm + slack:
            refute(f"V grows from {less.reachable!r} to {more.reachable!r}")
        tally.count(more.reachable_norm <= less.reachable_norm)
    ends = ((found[0], found[0].distances[0]), (found[-1], found[-1].unbounded_norm))
    for result, expected in ends:
        if abs(result.reachable_norm - expected) > result.evaluation_tolerance:
            refute(f"√V = {result.reachable_norm!r} at B = {result.coefficient_norm}")


@states("tail", case=floor_cases(), pinned=[{"case": case} for case in _PINNED])
def tail_is_bounded_in_float64(tally: Tally, case: FloorCase) -> None:
    """The tail that the library computes stays below √λ_{p+1}‖W‖_F for every p (F1)."""
    checked = as_features(case.features)
    measure = as_measure(case.measure, case.weights, checked.n_samples)
    found = tail(decompose(weighted_problem(checked, case.target, measure)), case.coefficients)
    # n sums of squares and one hypot each: a few dozen roundings, relative.
    allowed = found.bounds * (1 + 1e-13 * checked.n_features) + 1e-300
    if (found.norms > allowed).any():
        refute(f"tails {found.norms.tolist()} against {found.bounds.tolist()}")
    tally.count(bool((found.norms <= found.bounds).all()))


@states("tail", instance=instances())
def library_tail_is_the_rational_tail(tally: Tally, instance: Instance) -> None:
    """The library's tail agrees with rational arithmetic to the rounding of an SVD (F1)."""
    exact = instance.problem()
    size = exact.eigenvalues[0] * exact.norm
    assume(size == 0 or 1e-250 < size < 1e250)
    checked = as_features(instance.known.features)
    data = decompose(weighted_problem(checked, instance.target, as_measure("raw", None, len(
        instance.target))))  # fmt: skip
    found = tail(data, instance.coefficients)
    scale = math.sqrt(exact.eigenvalues[0] * exact.norm)
    for p, (norm, square) in enumerate(zip(found.norms, exact.tails, strict=True)):
        # Within a cluster the split between p and p + 1 is a matter of rounding: λ decides there.
        if p and p < len(exact.tails) - 1:
            gap = exact.eigenvalues[p - 1] - exact.eigenvalues[p]
            if gap * 1000 < exact.eigenvalues[0]:
                tally.count(False)
                continue
        if abs(norm - math.sqrt(square)) > 1e-11 * scale:
            refute(f"p = {p}: {norm!r} against {math.sqrt(square)!r}")
        tally.count(True)


@states("rank-budget", case=floor_cases(), pinned=[{"case": case} for case in _PINNED])
def budget_of_the_loss_reached(tally: Tally, case: FloorCase) -> None:
    """The rank budget of the loss that a network has reached is at most its ε-rank (F5)."""
    first = _result(case)
    assert first.loss is not None
    assume(math.isfinite(first.loss))
    result = _result(case, [first.loss])
    budget = result.rank_budget[0]
    if budget.rank is None or budget.rank > result.rank.upper:
        refute(f"{budget}, but the ε-rank {result.rank.upper} reached it")
    tally.count(result.rank.resolved and budget.resolved)


@states("floor-decreases", case=floor_cases(), pinned=[{"case": case} for case in _PINNED])
def library_distances_fall(tally: Tally, case: FloorCase) -> None:
    """The distances d_p that the library reports are non-increasing in p."""
    distances = _result(case).distances
    if (np.diff(distances) > 0).any():
        refute(f"distances {distances.tolist()}")
    tally.count(True)
