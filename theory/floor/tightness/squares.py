"""The chain of the squared error (F1–F6), from one decomposition or in ball arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import Features, as_target
from epsrank.theory.floor.arguments import with_columns
from epsrank.theory.floor.decomposed.bounds import envelope, epsilon_floor, rank_budget
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.floor.decomposed.spectral import rank_of
from epsrank.theory.floor.plateau import Asked
from epsrank.theory.floor.tightness.enclosed import Enclosed, falling
from epsrank.theory.floor.tightness.head import Head
from epsrank.theory.floor.tightness.result import AtEps, AtNorm
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval


def squares_chain(
    head: Head, asked: Asked, eps: tuple[float, ...], norms: tuple[float, ...], *, certified: bool
) -> dict[str, Any]:
    """Return the fields of a result for the squared error."""
    assert isinstance(asked.known, SquaresCurve)
    assert asked.loss is not None
    data, norm = asked.known.data, asked.norm
    features, target, coefficients = _whole(head)
    loss = asked.loss
    found: dict[str, Any] = {
        "loss_name": "squared",
        "loss": Enclosed(max(0.0, loss - asked.error), loss, loss + asked.error),
        "reachable": _reachable(asked.known, norm),
        "envelope": _envelope(data, norm),
        "by_norm": tuple(
            AtNorm(at, reached, bound)
            for at, reached, bound in zip(
                norms,
                falling(norms, [_reachable(asked.known, at) for at in norms]),
                falling(norms, [_envelope(data, at) for at in norms]),
                strict=True,
            )
        ),
        "spectrum": data.spectrum,
        "distances": data.distances,
        "features": features.values,
        "coefficients": coefficients,
        "certificates": (),
    }
    if certified:
        return found | _certified(head, features, target, coefficients, eps)
    ranks = [_rank(head, features, data, threshold) for threshold in eps]
    found["by_eps"] = tuple(_at_eps(data, rank, norm, found["loss"].upper) for rank in ranks)
    return found


def _whole(head: Head) -> tuple[Features, Matrix, Matrix]:
    """Return features, target and coefficients of a head without a bias and an offset."""
    size = head.features.n_samples
    goal = as_target(head.target, size)
    goal = goal if head.offset is None else goal - head.offset
    if head.bias == "feature":
        wide = with_columns(head.features, head.units)
        return wide, goal, np.vstack([head.coefficients, head.bias_value])
    if head.bias == "fixed":
        goal = goal - head.units @ head.bias_value
    return head.features, goal, head.coefficients


def _reachable(curve: SquaresCurve, norm: float) -> Enclosed:
    return Enclosed(*curve.bounds(norm))


def _envelope(data: FloorData, norm: float) -> Enclosed:
    return Enclosed.of_norm(envelope(data, norm), data.tolerance(norm))


def _rank(head: Head, features: Features, data: FloorData, eps: float) -> RankInterval:
    """Return r_ε from the decomposition, decided by other routes where that leaves it open."""
    found = rank_of(data, eps)
    # Centred features are no floats that were given: their interval stays as it is.
    if found.lower == found.upper or head.bias == "free":
        return found
    return epsilon_rank(features, eps, measure=head.measure)


def _at_eps(data: FloorData, rank: RankInterval, norm: float, loss: float) -> AtEps:
    """Return floor and budget at one ε."""
    floor = epsilon_floor(data, rank.upper, rank.eps, norm)
    budget = rank_budget(data, norm, rank.eps, [loss])[0].rank
    return AtEps(
        rank.eps, rank.lower, rank.upper, Enclosed.of_norm(floor, data.tolerance(norm)), budget
    )


def _certified(
    head: Head, features: Features, target: Matrix, coefficients: Matrix, eps: tuple[float, ...]
) -> dict[str, Any]:
    """Return the chain in ball arithmetic, where the ends trust nothing."""
    from epsrank.theory.floor.certified.certificate import certify_chain

    found = [
        certify_chain(features, target, coefficients, threshold, measure=head.measure)
        for threshold in eps
    ]
    first = found[0]
    return {
        "loss": Enclosed.of_interval(first.verdicts[-1].right),
        "reachable": Enclosed.of_interval(first.reachable),
        "envelope": Enclosed.of_interval(first.envelope),
        "distances": np.array([math.sqrt(max(0.0, float(d))) for d in first.distances_squared]),
        "by_eps": tuple(
            AtEps(
                own.eps,
                own.rank_lower,
                own.rank_upper,
                Enclosed.of_interval(own.floor),
                _certified_budget(own),
            )
            for own in found
        ),
        "certificates": tuple(found),
    }


def _certified_budget(certificate: Any) -> int:
    """Return the first p whose d_p is not proved to exceed √loss + √ε B (F5)."""
    reach = math.sqrt(float(certificate.loss)) + math.sqrt(
        certificate.eps * float(certificate.norm_squared)
    )
    # Ten roundings at most; an excess that small proves nothing.
    reach *= 1 + 1e-14
    distances = certificate.distances_squared
    return next(
        (p for p, d in enumerate(distances) if not math.sqrt(max(0.0, float(d.lower))) > reach),
        len(distances) - 1,
    )
