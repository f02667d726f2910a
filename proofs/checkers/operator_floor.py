"""L1 on PINNs trained in this run: features by closed forms, and the chain in exact arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.numerics.checkpoint.dense import network_of_run
from epsrank.numerics.operators import PROBLEMS
from epsrank.numerics.operators.stacked import OperatorSystem
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.proofs.checkers.base import Checker, Context, Score
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.properties.operators import closed_form_features
from epsrank.theory.floor.certified.certificate import ChainCertificate
from epsrank.theory.numbers.arrays import Array

CLAIM = "operator-floor"

#: Task, width, depth and steps per effort.
PINNS: dict[str, tuple[tuple[str, int, int, int], ...]] = {
    "quick": (("poisson-1d", 12, 2, 200), ("helmholtz-1d", 12, 1, 200)),
    "default": (
        ("poisson-1d", 20, 2, 800),
        ("helmholtz-1d", 20, 2, 600),
        ("poisson", 16, 1, 250),
        ("heat", 16, 2, 200),
    ),
    "full": (
        ("poisson-1d", 40, 2, 10_000),
        ("helmholtz-1d", 40, 2, 10_000),
        ("poisson", 40, 2, 5000),
        ("helmholtz", 40, 2, 5000),
        ("heat", 40, 2, 5000),
    ),
}

_EPS = (1e-2, 1e-6)
_CHECKPOINTS = 4

#: k and ν of the problems, for the closed forms.
_PARAMETERS = {"helmholtz": 1.0, "helmholtz-1d": 4.0, "heat": 0.1}

# What rounding may leave between features and closed forms, and between losses, relative to the
# largest feature and to the loss.
_AGREEMENT = 1e-10


def system_of(run: Run) -> OperatorSystem:
    """Return the boundary-value problem of a run at its points."""
    config = run.config
    return PROBLEMS[config.task].system(config.n_train, kappa=config.boundary_weight)


def reference_loss(run: Run, index: int) -> tuple[float, float]:
    """Return ‖𝓛u − f‖² + κ‖u − g‖² from closed forms, and the worst disagreement of a feature.

    f, g and κ come from the problem, 𝓛φ from σ″ in ball arithmetic: no automatic derivative, and no
    √κ times anything.

    The disagreement is max |feature − closed form| / max |closed form|.
    """
    task = run.config.task
    problem, system, last = PROBLEMS[task], system_of(run), run.last_layer(index)
    network = network_of_run(run, index)
    features, _ = closed_form_features(system, network, _PARAMETERS.get(task, 0.0))
    # 1e-300 in case that all closed forms vanish.
    apart = float(np.abs(features - last.features).max() / max(np.abs(features).max(), 1e-300))
    inside, kappa = system.stacked.inside.numpy(), system.stacked.kappa
    points = system.x.numpy()
    # 𝓛1 of the output bias: k² for Helmholtz, else 0.
    wave = _PARAMETERS[task] ** 2 if task.startswith("helmholtz") else 0.0
    residual = features[inside] @ last.coefficients[:, 0] + wave * last.bias[0]
    misfit = features[~inside] / np.sqrt(kappa) @ last.coefficients[:, 0] + last.bias[0]
    loss = _integral(residual - problem.source(points[inside]), system.weights[inside])
    edge = _integral(misfit - problem.boundary(points[~inside]), system.weights[~inside])
    return loss + kappa * edge, apart


def _integral(values: Array, weights: Array) -> float:
    return float(weights @ np.square(values))


def check_pinns(context: Context) -> list[Evidence]:
    """Train PINNs, certify their chains, and hold features and losses against closed forms."""
    score = Score()
    rows: list[dict[str, Any]] = []
    witness: dict[str, Any] | None = None
    worst = [0.0, 0.0]
    for task, width, depth, steps in PINNS[context.effort]:
        run = train(
            RunConfig(
                task=task, width=width, depth=depth, steps=steps, seed=context.seed,
                learning_rate=5e-3, eps=_EPS, measure_every=max(1, steps // _CHECKPOINTS),
                device="cpu",
            )
        )  # fmt: skip
        for index, record in enumerate(run.records):
            where = {"task": task, "net": f"{depth}×{width}", "step": record.step}
            certificates = [run.certificate(index, eps) for eps in _EPS]
            for found in certificates:
                for verdict in found.verdicts:
                    score.add(verdict.state, {**where, "eps": found.eps, **verdict.to_json()})
            loss, apart = reference_loss(run, index)
            exact = float(certificates[0].loss)
            off = abs(loss - exact) / exact if exact else abs(loss)
            worst = [max(worst[0], apart), max(worst[1], off)]
            if max(apart, off) > _AGREEMENT and witness is None:
                witness = {**where, "loss": loss, "loss by features": exact, "features": apart}
            rows.append(_row(where, record.rank(), certificates[0]))
    title = (
        "floor² ≤ envelope² ≤ V(‖β‖) ≤ ‖𝓛u − f‖² + κ‖u − g‖² on PINNs trained in this run, by ball "
        "arithmetic"
    )
    chain = score.evidence(
        CLAIM, "exact", title, {"eps": list(_EPS), "certificates": len(rows) * 2}
    )
    forms = Evidence(
        CLAIM,
        "exact",
        "refuted" if witness else "passed",
        "Features (𝓛φ, √κ 𝓑φ) and losses of these PINNs against closed forms of σ″ in ball "
        "arithmetic",
        {"checkpoints": len(rows), "worst feature, relative": worst[0], "worst loss": worst[1]},
        witness=witness,
        rows=rows,
    )
    return [chain, forms]


def _row(where: dict[str, Any], rank: object, found: ChainCertificate) -> dict[str, Any]:
    """Return one line of the table, in certified numbers."""
    loss, reach = float(found.loss), float(found.reachable.lower)
    return {
        **where,
        f"ε-rank of 𝓛φ at {_EPS[0]:g}": str(rank),
        "loss": loss,
        "V": reach,
        "floor": float(found.floor.lower),
        "loss/V": loss / reach if reach > 0 else None,
    }


def operator_floor_checkers() -> list[Checker]:
    """Return the checker of L1."""
    return [Checker("floor of PINNs", (CLAIM,), "exact", check_pinns)]
