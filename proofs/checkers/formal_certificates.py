"""Measurements that Coq checks: ε-rank and floor of networks trained in this run, as theorems."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from epsrank.numerics.processes.scratch import scratch
from epsrank.proofs.checkers.base import Checker, Context, skipped
from epsrank.proofs.formal import (
    CoqError,
    check_text,
    compile_development,
    explain_missing,
    find_coq,
)
from epsrank.proofs.formal.certificate import Certificate
from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.export import export_project
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.interrogate import CLOSED
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.proofs.instances.networks import CERTIFIED_WIDTH, Checkpoint, checkpoints, planned
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.floor.certified.exact_data import norm_squared
from epsrank.theory.numbers.dyadic import root_above
from epsrank.theory.numbers.interval import outward

CLAIMS = ("rank-definition", "loss-floor", "reachable-loss")

#: Folder of a report that keeps the accepted certificates, one Coq project per network.
FOLDER = "certificates"

# Samples per network, evenly spaced among those measured: Coq's time is proportional to them.
_SAMPLES = {"quick": 60, "default": 60, "full": 400}

#: ε of the rank, and a second one at full effort. Images have full rank at 1e-6.
EPS = {"cosines": (1e-6, 1e-4), "images": (1e-2, 1e-6)}


def thinned(point: Checkpoint, samples: int) -> Checkpoint:
    """Return a checkpoint at evenly spaced samples, the measure taken over those."""
    total = len(point.features)
    kept = np.unique(np.linspace(0, total - 1, min(samples, total)).round().astype(int))
    return Checkpoint(
        step=point.step,
        features=point.features[kept],
        target=point.target[kept],
        coefficients=point.coefficients,
        measure=point.measure.at(kept),
    )


def norm_above(point: Checkpoint) -> Fraction:
    """Return a float64 B ≥ ‖W‖_F, as a fraction."""
    return Fraction(root_above(norm_squared(point.coefficients)))


def ask_coq(compiled: Compiled, certificate: Certificate) -> str | None:
    """Have the kernel check a certificate, and see that its theorem assumes nothing."""
    with scratch("certificate") as folder:
        text = certificate.to_coq("measurement_holds")
        try:
            printed = check_text(compiled, text, folder, "measurement_holds")
        except CoqError as error:
            return str(error)
    return None if printed.strip() == CLOSED else f"it assumes: {printed.strip()}"


def _place(name: str) -> str:
    """Return where in a report the certificates of a network are."""
    return f"{FOLDER}/{name.replace(' ', '_')}"


def check_measurements(name: str, context: Context) -> list[Evidence]:
    """Certify ε-rank and floor of the last hidden layer of one trained network, and ask Coq."""
    network = context.networks[name]
    if network.error is not None:
        raise RuntimeError(network.error)
    coq = find_coq()
    missing = explain_missing() if coq is None else network.skipped
    if coq is None or missing is not None:
        return skipped(CLAIMS, "exact", f"Kernel-checked measurement of {name}", missing)
    compiled = compile_development(coq)
    run = network.run()
    *_, last = checkpoints(run, len(run.records))
    point = thinned(last, _SAMPLES[context.effort])
    thresholds = EPS["images" if network.images else "cosines"]
    chosen = thresholds if context.effort == "full" else thresholds[:1]
    kept: dict[str, Certificate] = {}
    ranks = [_rank(name, point, eps, compiled, kept) for eps in chosen]
    found = ranks + _floor(name, point, thresholds[0], compiled, kept)
    if context.out is not None and kept:
        export_project(context.out / _place(name), kept)
    return found


def _figures(certificate: Certificate, point: Checkpoint) -> dict[str, Any]:
    return {
        "step": point.step,
        "neurons": certificate.data.n_features,
        "samples": certificate.data.n_samples,
        "measure": certificate.measure,
        "bits of the features": certificate.data.bits,
        "bits of the certificate": certificate.bits,
    }


def _rank(
    name: str, point: Checkpoint, eps: float, compiled: Compiled, kept: dict[str, Certificate]
) -> Evidence:
    title = f"Kernel-checked measurement: r_ε of {name}, trained in this run, as a theorem of Coq"
    try:
        certificate = certify_rank(point.features, eps, measure=point.measure)
    except InputError as error:
        return Evidence(CLAIMS[0], "exact", "undecided", title, cause=str(error))
    refusal = ask_coq(compiled, certificate)
    figures = {"eps": eps, "rank": certificate.rank, **_figures(certificate, point)}
    if refusal is None:
        kept[f"rank_{len(kept)}"] = certificate
    state: State = "passed" if refusal is None else "error"
    return Evidence(CLAIMS[0], "exact", state, title, figures, cause=refusal)


def _floor(
    name: str, point: Checkpoint, eps: float, compiled: Compiled, kept: dict[str, Certificate]
) -> list[Evidence]:
    """Return  floor² ≤ x ≤ loss  with a kernel-checked x ≤ V(‖W‖)."""
    title = f"Kernel-checked measurement: loss ≥ x for every layer as short as that of {name}"
    try:
        certificate = certify_floor(
            point.features, point.target, norm_above(point), measure=point.measure
        )
        chain = certify_chain(
            point.features, point.target, point.coefficients, eps, measure=point.measure
        )
    except InputError as error:
        return [
            Evidence(claim, "exact", "undecided", title, cause=str(error)) for claim in CLAIMS[1:]
        ]
    refusal = ask_coq(compiled, certificate)
    figures = {
        "x": float(certificate.x),
        "reachable": float(chain.reachable),
        "loss": outward(chain.loss, -1),
        "floor": float(chain.floor),
        "eps": eps,
        "norm": certificate.norm,
        **_figures(certificate, point),
    }
    if refusal is not None:
        return [
            Evidence(claim, "exact", "error", title, figures, cause=refusal) for claim in CLAIMS[1:]
        ]
    kept["floor"] = certificate
    # x lies a little below V, so a floor just as near to V cannot be compared with V by it.
    below = chain.floor.upper <= certificate.x
    floor = Evidence(
        CLAIMS[1],
        "exact",
        "passed" if below else "undecided",
        f"{title}, and x is above the floor of F2",
        figures,
        cause=None if below else "the floor is nearer to V(‖W‖) than the certified bound",
    )
    holds = certificate.x <= chain.loss
    reach = Evidence(
        CLAIMS[2],
        "exact",
        "passed" if holds else "refuted",
        f"{title}, and so for the network's own",
        figures,
        witness=None if holds else {"network": name, **figures},
    )
    return [floor, reach]


def certificate_checkers(effort: str) -> list[Checker]:
    """Return one checker per network that is narrow enough; at quick effort only for the first."""
    narrow = [name for name, width in planned(effort).items() if width <= CERTIFIED_WIDTH]
    return [
        Checker(
            f"theorems about {name}",
            CLAIMS,
            "exact",
            partial(check_measurements, name),
            (name,),
            _place(name),
        )
        for name in (narrow[:1] if effort == "quick" else narrow)
    ]
