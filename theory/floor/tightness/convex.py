"""The chain of another convex loss (L2, L3): dual certificates of V, Lipschitz floors over ε."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import Features
from epsrank.theory.floor.arguments import with_columns
from epsrank.theory.floor.convex.curve import ConvexCurve
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.lipschitz import RankFloors, mean_slope
from epsrank.theory.floor.convex.penalised import PenalisedProblem
from epsrank.theory.floor.plateau import Asked
from epsrank.theory.floor.tightness.enclosed import Enclosed, falling
from epsrank.theory.floor.tightness.head import Head
from epsrank.theory.floor.tightness.result import AtEps, AtNorm
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.interval import RankInterval

_NOT_LIPSCHITZ = "the loss is not Lipschitz, so the ε-rank alone gives no floor (L2)"
_SCALED_BIAS = "a free bias that is scaled by the sample has no floor over ε"


def convex_chain(
    head: Head, asked: Asked, eps: tuple[float, ...], norms: tuple[float, ...], *, certified: bool,
    tolerance: float, budgets: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a result for a convex loss."""
    assert isinstance(asked.known, ConvexCurve)
    assert asked.loss is not None
    curve, norm, loss = asked.known, asked.norm, asked.loss
    law, problem = curve.problem.law, curve.problem
    features = head.features
    coefficients = head.coefficients
    if head.bias == "feature":
        features = with_columns(features, head.units)
        coefficients = np.vstack([coefficients, head.bias_value])
    given: dict[str, Any] = {"offset": problem.offset}
    if head.bias == "free":
        given["bias"] = "free"
    reachable = Enclosed(*curve.bounds(norm))
    if head.bias != "free":
        reachable = _better(reachable, problem, features, norm, tolerance, certified)
    found: dict[str, Any] = {
        "loss_name": law.name,
        "loss": Enclosed(max(0.0, loss - asked.error), loss, loss + asked.error),
        "reachable": reachable,
        "envelope": None,
        "by_norm": tuple(
            AtNorm(at, reached, None)
            for at, reached in zip(
                norms, falling(norms, [Enclosed(*curve.bounds(at)) for at in norms]), strict=True
            )
        ),
        "distances": None,
        "features": features.values,
        "coefficients": coefficients,
        "certificates": (),
    }
    ranks = epsilon_ranks(features, eps, measure=head.measure)
    found["spectrum"] = ranks[0].spectrum
    slope = mean_slope(law, problem.target, head.measure)
    reason = _NOT_LIPSCHITZ if not math.isfinite(slope) else ""
    if head.bias == "free" and not problem.ones:
        reason = _SCALED_BIAS
    floors = RankFloors(
        law, features, problem.target, head.measure, norm * (1 + 1e-15), slope, given, tolerance
    )
    found["by_eps"] = tuple(
        AtEps(rank.eps, rank.lower, rank.upper, None, None, reason)
        if reason
        else _at_eps(floors, rank, found["loss"].upper, budgets=budgets)
        for rank in ranks
    )
    return found


def _at_eps(floors: RankFloors, rank: RankInterval, loss: float, *, budgets: bool) -> AtEps:
    """Return floor and budget at one ε; the floor is certified from below, and nothing above."""
    floor = floors.at(rank.upper).floor
    budget = floors.budget(loss, rank.eps) if budgets else None
    return AtEps(rank.eps, rank.lower, rank.upper, Enclosed(floor, floor, floor), budget)


def _better(
    curve: Enclosed,
    problem: PenalisedProblem,
    features: Features,
    norm: float,
    tolerance: float,
    certified: bool,
) -> Enclosed:
    """Return V(B) with the better ends of two solvers; certified ones are of ball arithmetic.

    The curve's own lines are evaluated against rounding, but by library functions.
    """
    found = convex_floor(
        features, problem.target, loss=problem.law, norm=norm, n_outputs=problem.target.shape[1],
        weights=problem.weights, offset=problem.offset, tolerance=tolerance, audit=certified,
    )  # fmt: skip
    lower = found.reachable if certified else max(curve.lower, found.reachable)
    upper = min(curve.upper, found.attained + found.evaluation_error)
    return Enclosed(lower, max(lower, min(curve.value, upper)), upper)
