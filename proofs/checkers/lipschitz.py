"""L2 on networks trained with cross-entropy: the certificate in balls, against another solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize as so

from epsrank.numerics.training import Run, RunConfig, train
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.networks import find_mnist
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.proofs.properties.lipschitz import ball_mean_loss, in_ball
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.lipschitz import lipschitz_floor
from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.numbers.arrays import Array, Matrix

CLAIM = "lipschitz-floor"

#: Settings of the networks per effort; MNIST where the user has it.
NETWORKS: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {"digits": {"width": 20, "steps": 150, "probe": 300}},
    "default": {
        "digits": {"width": 40, "steps": 600, "probe": 1000},
        "mnist": {"width": 40, "steps": 300, "probe": 1000, "n_train": 6000},
    },
    "full": {
        "digits": {"width": 40, "steps": 3000, "probe": 1437},
        "mnist": {"width": 64, "steps": 2000, "probe": 4000, "n_train": 60_000},
    },
}

#: How close the certificate has to come to the best primal value.
GAP = 0.01

_EPS = (1e-2, 1e-4, 1e-6)
_TOLERANCE = 2e-3


def independent_minimum(
    law: ConvexLoss, features: Matrix, target: Matrix, radius: float, start: Matrix
) -> Matrix:
    """Return a good point of the ball by other means: L-BFGS on f + μ‖C‖²/2, searching over μ."""
    shape, best, value = start.shape, in_ball(start, radius), np.inf
    guess = start.ravel()

    def objective(flat: Array, weight: float) -> tuple[float, Array]:
        """Return f + μ‖C‖²/2 and its gradient."""
        values, slopes = law.evaluate(features @ flat.reshape(shape), target)
        gradient = features.T @ slopes / len(features)
        return float(values.mean() + weight / 2 * flat @ flat), gradient.ravel() + weight * flat

    low, high = -9.0, 2.0  # log10 μ; the norm of the minimiser falls with μ
    # 14 halvings of 11 decades of μ: to a fraction of a per cent.
    for _ in range(14):
        middle = (low + high) / 2
        found = so.minimize(
            objective, guess, (10.0**middle,), jac=True, method="L-BFGS-B",
            options={"maxiter": 400, "ftol": 1e-12, "gtol": 1e-9},
        )  # fmt: skip
        guess = found.x
        point = in_ball(found.x.reshape(shape), radius)
        own = float(law.evaluate(features @ point, target)[0].mean())
        if own < value:
            best, value = point, own
        low, high = (middle, high) if np.linalg.norm(found.x) > radius else (low, middle)
    return best


def _trained(task: str, settings: dict[str, Any], context: Context, data: str | None) -> Run:
    return train(
        RunConfig(
            task=task, loss="cross-entropy", depth=2, batch_size=128, seed=context.seed,
            device="cpu", measure_every=settings["steps"], data=data if task == "mnist" else None,
            **settings,
        )
    )  # fmt: skip


def check_networks(context: Context) -> list[Evidence]:
    """Hold the certificates of trained classifiers against losses in balls and another solver."""
    found = []
    data = find_mnist(None)
    for task, settings in NETWORKS[context.effort].items():
        if task == "mnist" and data is None:
            cause = "MNIST was not found: name its .npz in EPSRANK_DATA"
            title = "The cross-entropy certificate on MNIST"
            found += [
                Evidence(CLAIM, "exact", "skipped", title, cause=cause, part=part)
                for part in ("cross-entropy", "floor")
            ]
            continue
        last = _trained(task, settings, context, data).last_layer(-1)
        features, target, head = last.without_bias("feature")
        found += [
            _certificate(task, features.values, head, target),
            _floors(task, features.values, head, target),
        ]
    return found


def _certificate(task: str, features: Array, head: Array, target: Array) -> Evidence:
    """Return the evidence on the bound of the cross-entropy."""
    law = as_convex_loss("cross_entropy")
    result = convex_floor(
        features, target, loss=law, coefficients=head, tolerance=_TOLERANCE, audit=True
    )
    float64 = convex_floor(
        features, target, loss=law, coefficients=head, tolerance=_TOLERANCE
    ).reachable
    # Begun at half the network's own layer, and not at the certificate's point.
    other = independent_minimum(law, features, target, result.norm, 0.5 * head)
    primal, own = (ball_mean_loss(law, features, point, target) for point in (other, head))
    upper = float(primal.upper())
    gap = (upper - min(result.reachable, float64)) / upper
    witness = None
    for name, bound in (("in balls", result.reachable), ("in float64", float64)):
        if primal < bound or own < bound:
            witness = {"bound": f"{name}: {bound!r}", "attained": str(primal), "loss": str(own)}
    state: State = "refuted" if witness else "passed" if gap <= GAP else "undecided"
    return Evidence(
        CLAIM,
        "exact",
        state,
        f"The cross-entropy certificate on {task}, in ball arithmetic: never above the value of an "
        "independent solver, and within 1 % of it",
        {
            "samples": len(features),
            "neurons and 1": features.shape[1],
            "norm": result.norm,
            "loss": float(own.mid()),
            "certified": result.reachable,
            "certified in float64": float64,
            "independent solver": upper,
            "relative gap": gap,
            "reading": result.reading,
        },
        witness=witness,
        cause=f"the certificate is {gap:.1%} below the primal value"
        if state == "undecided"
        else None,
        part="cross-entropy",
    )


def _floors(task: str, features: Array, head: Array, target: Array) -> Evidence:
    """Return the evidence on the floor by ε, for three Lipschitz losses of the same outputs."""
    rows: list[dict[str, Any]] = []
    witness = None
    for name in ("cross_entropy", "huber", "absolute"):
        law = as_convex_loss(name)
        # The best that was found in the ball, not the network's own output layer alone.
        best = convex_floor(features, target, loss=law, coefficients=head).point
        own, least = (ball_mean_loss(law, features, point, target) for point in (head, best))
        for eps in _EPS:
            found = lipschitz_floor(features, target, eps=eps, loss=law, coefficients=head)
            row = {
                "loss": name,
                "ε": eps,
                "directions": found.directions,
                "floor": found.floor,
                "attained": float(least.mid()),
                "network": float(own.mid()),
            }
            rows.append(row)
            if not (own >= found.floor and least >= found.floor):
                witness = witness or row
    return Evidence(
        CLAIM,
        "exact",
        "refuted" if witness else "passed",
        f"mean ℓ(φW, y) ≥ floor for three Lipschitz losses on {task}, for its output layer and the "
        "best one found, in ball arithmetic",
        {"comparisons": len(rows), "floors above 0": sum(row["floor"] > 0 for row in rows)},
        witness=witness,
        part="floor",
        rows=rows,
    )


def lipschitz_checkers() -> list[Checker]:
    """Return the checker of L2."""
    return [Checker("floor of Lipschitz losses", (CLAIM,), "exact", check_networks)]
