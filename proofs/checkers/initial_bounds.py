"""P1 and P2: no small network leaves its plateau sooner, or has condensed less, than is certain."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.small_networks import SmallNetwork, small_network
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.errors import InputError
from epsrank.theory.flows.condensation_bound import CondensationBound, condensation_bound
from epsrank.theory.flows.plateau_bound import PlateauBound, plateau_bound
from epsrank.theory.numbers.arrays import Matrix

#: Networks per effort.
CASES = {"quick": 12, "default": 60, "full": 300}
# Longer plateaus are drawn anew: they say no more.
_MOST = 1500
#: Weights of the network of B1 at four scales.
SCALES = (1e-2, 1e-3, 1e-4, 1e-5)


def _of(network: SmallNetwork, share: float) -> PlateauBound:
    return plateau_bound(
        network.layers, network.inputs, network.target, learning_rate=network.rate,
        activation=network.activation, share=share, factor=network.factor, most=_MOST,
    )  # fmt: skip


def plateaus(context: Context) -> list[Evidence]:
    """Train networks, and look for one that leaves its plateau before the step that is certain."""
    random = np.random.default_rng(context.seed)
    ratios: list[float] = []
    still, witness = 0, None
    while len(ratios) + still < CASES[context.effort]:
        network = small_network(random, (2, 2, 3, 4))
        share = float(random.choice([0.5, 0.9, 0.98]))
        bound = _of(network, share)
        assert bound.steps is not None
        if not 0 < bound.steps < _MOST / 2:
            continue
        left = network.escape(share, _MOST)
        if left is None:
            still += 1
            continue
        ratios.append(bound.steps / left)
        if left < bound.steps:
            witness = _witness(network) | {"share": share, "left": left, "certain": bound.steps}
    figures = {
        "networks": len(ratios) + still,
        "still on their plateau at the end": still,
        "certain / measured, median": float(np.median(ratios)) if ratios else None,
        "certain / measured, most": max(ratios, default=None),
    }
    rows = []
    for sigma in SCALES:
        network = of_b1(sigma)
        bound, left = _of(network, 0.9), network.escape(0.9, _MOST)
        assert bound.steps is not None
        rows.append({"σ": sigma, "certain": bound.steps, "measured": left})
        if left is not None and left < bound.steps:
            witness = {"σ": sigma, "left": left, "certain": bound.steps}
    return [_evidence("plateau-bound", "leave their plateau", figures, witness, rows)]


def of_b1(sigma: float) -> SmallNetwork:
    """Return a network 1-50-1 of experiment B1 with an exploratory draw."""
    random = np.random.default_rng(0)
    x = np.linspace(-1, 1, 60)[:, None]
    layers: list[Matrix] = [sigma * random.normal(size=shape) for shape in ((50, 2), (1, 50))]
    return SmallNetwork(layers, x, np.sin(3 * x) + np.sin(8 * x) / 2, "tanh", 2.0, 0.05)


def orientations(context: Context) -> list[Evidence]:
    """Train networks to the step that is certain, and look for a neuron that points elsewhere."""
    random = np.random.default_rng(context.seed + 1)
    cases, certain, seen, witness = 0, 0, 0, None
    shares: list[float] = []
    rows = []
    while cases < CASES[context.effort]:
        own = cases < len(SCALES) - 1
        network = of_b1(SCALES[cases + 1]) if own else small_network(random, (2,))
        if network.activation == "relu":
            continue
        fall = 0.005 if own else float(random.choice([0.002, 0.005, 0.02]))
        try:
            bound = condensation_bound(
                network.layers, network.inputs, network.target, learning_rate=network.rate,
                activation=network.activation, fall=fall, factor=network.factor, most=_MOST,
            )  # fmt: skip
        except InputError:
            continue  # weights that are too large, or a rate
        cases += 1
        now = _at(network, bound)
        certain += bound.neurons()
        seen += int(np.count_nonzero(now["cosines"] >= 0.95))
        shares.append(bound.share())
        if own:
            near = now["cosines"] >= 0.95
            rows.append(
                {
                    "σ": SCALES[cases], "step": bound.step, "neurons, certain": bound.neurons(),
                    "measured": int(near.sum()), "amplitude, certain": bound.share(),
                    "measured share": float(now["amplitudes"][near].sum()),
                }
            )  # fmt: skip
        wrong = [name for name, broken in now["broken"].items() if broken]
        if wrong:
            witness = _witness(network) | {"fall": fall, "step": bound.step, "broken": wrong}
    figures = {
        "networks": cases,
        "neurons within cos 0.95, certain": certain,
        "measured": seen,
        "amplitude that certainly lies there, median": float(np.median(shares)),
    }
    return [_evidence("condensation-bound", "have condensed less", figures, witness, rows)]


def _at(network: SmallNetwork, bound: CondensationBound) -> dict[str, Any]:
    """Return cosines and shares of amplitude at the step, and which statements do not hold."""
    assert bound.step is not None
    run = list(islice(network.descent(), bound.step + 1))
    (first, _), (loss, (inner, outer)) = run[0], run[-1]
    sizes = np.linalg.norm(inner, axis=1)
    cosines = np.abs(inner @ bound.direction) / np.where(sizes > 0, sizes, 1.0)
    amplitudes = np.abs(outer[0]) * sizes
    amplitudes = amplitudes / amplitudes.sum()
    broken = {
        "the loss": loss < (1 - bound.fall) * first,
        "a cosine": bool((cosines < bound.cosines).any()),
        "the share": amplitudes[cosines >= 0.95].sum() < bound.share(),
    }
    return {"cosines": cosines, "amplitudes": amplitudes, "broken": broken}


def _witness(network: SmallNetwork) -> dict[str, Any]:
    return {
        "layers": [w.tolist() for w in network.layers],
        "inputs": network.inputs.tolist(),
        "target": network.target.tolist(),
        "activation": network.activation,
        "factor": network.factor,
        "rate": network.rate,
    }


def _evidence(
    claim: str, what: str, figures: dict[str, Any], witness: Any, rows: list[dict[str, Any]]
) -> Evidence:
    return Evidence(
        claim,
        "property",
        "passed" if witness is None else "refuted",
        f"random networks of small weights that {what} than is certain: none may",
        figures,
        witness=witness,
        rows=rows,
    )


def initial_bound_checkers() -> list[Checker]:
    """Return the checks of this file."""
    return [
        Checker(check.__name__, (claim,), "property", check)
        for claim, check in (("plateau-bound", plateaus), ("condensation-bound", orientations))
    ]
