"""F1–F3 on networks trained in this run: certified by balls where small, in float64 elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from epsrank.proofs.checkers.base import Checker, Context, Score, skipped
from epsrank.proofs.instances.networks import (
    CERTIFIED_WIDTH,
    Checkpoint,
    TrainedNetwork,
    checkpoints,
    planned,
)
from epsrank.proofs.ledger.evidence import Evidence, Kind
from epsrank.theory.data.inputs import as_features
from epsrank.theory.floor.certified.ball_distance import distances
from epsrank.theory.floor.certified.ball_spectrum import ball_spectrum
from epsrank.theory.floor.certified.certificate import ChainCertificate, certify_chain
from epsrank.theory.floor.certified.exact_data import ExactData, exact_data, norm_squared
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.floor.result import LossFloor
from epsrank.theory.numbers.dyadic import dyadic_matrix, power_of_two
from epsrank.theory.numbers.interval import nearest, outward

CLAIMS = ("loss-floor", "reachable-loss", "tail")

#: ε of the chain. Images have full rank at 1e-6, so they get a coarser one as well.
EPS = {"cosines": (1e-6, 1e-4), "images": (1e-6, 1e-2)}

# Every measurement is checked; the table shows so many of them, evenly spaced.
_SHOWN = {"quick": 6, "default": 11, "full": 41}

# A distance and an eigenvalue are compared as enclosures of 256 bits: what is left of an equality.
_SLACK = Fraction(1, 10**30)


def tail_data(data: ExactData, coefficients: Any) -> ExactData:
    """Return the exact data with the network's own output u = ΦW as the target.

    Then dist²(u, Ψ_p) = ‖u − P_p u‖² is the tail of F1, and nothing is rounded: with G = g·K and
    W = 2^e·M the moments are K M and the norm is MᵀKM, in integers.
    """
    head, exponent = dyadic_matrix(coefficients)
    gram, n, k = data.gram_integers, data.n_features, head.ncols()
    moments = gram * head
    norms = head.transpose() * moments
    rows = [[*(gram[i, j] for j in range(n)), *(moments[i, j] for j in range(k))] for i in range(n)]
    rows += [
        [*(moments[j, i] for j in range(n)), *(norms[i, j] for j in range(k))] for i in range(k)
    ]
    unit = power_of_two(exponent)
    return replace(
        data,
        joint=type(gram)(rows),
        n_outputs=k,
        moment_unit=data.gram_unit * unit,
        target_unit=data.gram_unit * unit * unit,
    )


def check_tail(point: Checkpoint, eps: Sequence[float], score: Score) -> None:
    """Decide ‖u − P_p u‖² ≤ λ_{p+1}‖W‖² for all p, and ≤ ε‖W‖² at p = r_ε (F1)."""
    features = as_features(point.features)
    data = tail_data(exact_data(features, point.target, point.measure), point.coefficients)
    spectrum = ball_spectrum(data, 256)
    found = distances(data, spectrum)
    budget = norm_squared(point.coefficients)
    slack = _SLACK * data.target_norm_squared
    pairs = [
        (f"p = {p}", found.squared[p], value.lower * budget, value.upper * budget)
        for p, value in enumerate(spectrum.eigenvalues)
    ]
    for threshold in eps:
        exact = Fraction(threshold)
        counts = {sum(v.lower > exact for v in spectrum.eigenvalues),
                  sum(v.upper > exact for v in spectrum.eigenvalues)}  # fmt: skip
        pairs += [
            (f"ε = {threshold:g}", found.squared[r], exact * budget, exact * budget) for r in counts
        ]
    for what, tail, low, high in pairs:
        if tail.upper <= low:
            state = "strict"
        elif tail.lower > high:
            state = "violated"
        else:
            state = "within enclosure" if tail.upper - low <= slack else "unresolved"
        score.add(state, {"inequality": f"‖u − P_p u‖² ≤ λ‖W‖² at {what}", "step": point.step,
                          "tail": nearest(tail.lower), "bound": nearest(high)})  # fmt: skip


def _row(name: str, point: Checkpoint, result: LossFloor, certificate: ChainCertificate | None
         ) -> dict[str, Any]:  # fmt: skip
    """Return one line of the bound-tightness table; certified numbers where there are any."""
    loss, reachable, envelope, floor = (
        (result.loss, result.reachable, result.envelope, result.floor)
        if certificate is None
        else tuple(
            # Lower ends rounded down: no ratio of the table looks better than it is.
            outward(value, -1)
            for value in (
                certificate.loss,
                certificate.reachable.lower,
                certificate.envelope.lower,
                certificate.floor.lower,
            )
        )
    )
    assert loss is not None
    assert reachable is not None
    assert envelope is not None
    assert floor is not None
    return {
        "task": name.split()[0],
        "net": " ".join(name.split()[1:]),
        "step": point.step,
        "eps": result.eps,
        "rank": [result.rank.lower, result.rank.upper],
        "norm": result.coefficient_norm,
        "loss": loss,
        "reachable": reachable,
        "envelope": envelope,
        "floor": floor,
        "loss/reachable": loss / reachable if reachable > 0 else None,
        "reachable/envelope": reachable / envelope if envelope > 0 else None,
        "loss/floor": loss / floor if floor > 0 else None,
        "reading": result.reading,
        "certified": certificate is not None and certificate.holds,
    }


def _float_result(point: Checkpoint, eps: float) -> LossFloor:
    return loss_floor(
        point.features,
        point.target,
        eps=eps,
        coefficients=point.coefficients,
        measure=point.measure,
    )


def _chain(point: Checkpoint, eps: float, score: Score) -> ChainCertificate:
    certificate = certify_chain(
        point.features,
        point.target,
        point.coefficients,
        eps,
        measure=point.measure,
    )
    for verdict in certificate.verdicts:
        score.add(verdict.state, {"step": point.step, "eps": eps, **verdict.to_json()})
    return certificate


def check_network(name: str, context: Context) -> list[Evidence]:
    """Check F1–F3 on the checkpoints of one trained network."""
    network: TrainedNetwork = context.networks[name]
    certify = network.width <= CERTIFIED_WIDTH
    kind: Kind = "exact" if certify else "property"
    if network.skipped is not None:
        title = f"The chain on {name}, trained in this run"
        return skipped(CLAIMS, kind, title, network.skipped)
    chain, tails = Score(), Score()
    rows: list[dict[str, Any]] = []
    run = network.run()
    points = list(checkpoints(run, len(run.records)))
    shown = {point.step for point in checkpoints(run, _SHOWN[context.effort])}
    thresholds = EPS["images" if network.images else "cosines"]
    for point in points:
        for eps in thresholds:
            result = _float_result(point, eps)
            for link in check_chain(result).links:
                # Where balls decide, float64 counts only if it contradicts.
                if not certify or link.state == "violated":
                    chain.add(link.state, {"step": point.step, "link": str(link)})
            certificate = _chain(point, eps, chain) if certify else None
            if point.step in shown:
                rows.append(_row(name, point, result, certificate))
        if certify:
            check_tail(point, thresholds, tails)
    figures = {
        "network": name,
        "steps": [point.step for point in points],
        "eps": list(thresholds),
        "samples": len(points[0].features),
        "neurons": points[0].features.shape[1],
    }
    how = "ball arithmetic" if certify else "float64 with a derived rounding bound"
    title = f"floor² ≤ envelope² ≤ V(‖W‖) ≤ loss on {name}, trained in this run, by {how}"
    found = [chain.evidence(claim, kind, title, figures) for claim in CLAIMS[:2]]
    found[0] = replace(found[0], rows=rows)
    if certify:
        title = f"‖u − P_p u‖² ≤ λ_(p+1)‖W‖² for every p on {name}, by ball arithmetic"
        found.append(tails.evidence("tail", kind, title, figures))
    return found


def network_floor_checkers(effort: str) -> list[Checker]:
    """Return one checker per network of an effort."""
    return [
        Checker(
            f"floor on {name}",
            CLAIMS if width <= CERTIFIED_WIDTH else CLAIMS[:2],
            "exact" if width <= CERTIFIED_WIDTH else "property",
            partial(check_network, name),
            (name,),
        )
        for name, width in planned(effort).items()
    ]
